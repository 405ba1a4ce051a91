/** Requests for tests, as the browser tells of them. */

import type { Transfer } from '../src/messages';

/** Returns a request with these facts, and otherwise of nothing and at once. */
export function transfer(facts: Partial<Transfer>): Transfer {
  const start = facts.start ?? 0;
  return {
    url: 'https://example.org/',
    wireBytes: 0,
    encodedBytes: 0,
    decodedBytes: 0,
    isKept: false,
    start,
    response: start,
    end: start,
    ...facts,
  };
}
