/** Computes what a file is held against. */

/** Returns the SHA-256 of some bytes, as the W3C's Subresource Integrity writes it. */
export async function digestOf(pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<string> {
  // Browsers offer theirs, which does not block the page, only to pages that come over TLS.
  const digest = crypto.subtle
    ? new Uint8Array(await crypto.subtle.digest('SHA-256', joined(pieces)))
    : await import('./plain-sha256').then(({ plainSha256 }) => plainSha256(pieces));
  return `sha256-${btoa(String.fromCharCode(...digest))}`;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let filled = 0;
  for (const piece of pieces) {
    whole.set(piece, filled);
    filled += piece.length;
  }
  return whole;
}
