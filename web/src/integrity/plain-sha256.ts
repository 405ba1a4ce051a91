/** SHA-256 for pages without TLS, to which browsers offer none. */

import { sha256 } from '@noble/hashes/sha2.js';

/** How many bytes are hashed at once: the page must stay responsive. */
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
