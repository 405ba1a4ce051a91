/** SHA-256 for pages without TLS, whose browsers do not lend theirs. */

import { sha256 } from '@noble/hashes/sha2.js';

/** How much is taken in at once: it must not keep the page from answering. */
const BREATH_BYTES = 1 << 19;

/** Returns the digest of some bytes. */
export async function plainSha256(pieces: readonly Uint8Array[]): Promise<Uint8Array> {
  const hash = sha256.create();
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; from += BREATH_BYTES) {
      hash.update(piece.subarray(from, from + BREATH_BYTES));
      await new Promise((resolve) => {
        setTimeout(resolve);
      });
    }
  }
  return hash.digest();
}
