/** What the browser notes of a request, in the terms of both timelines. */

import type { Transfer } from './messages';

/** Returns a request of this thread as the page counts and draws it. */
export function transferOf(entry: PerformanceResourceTiming): Transfer {
  const { timeOrigin } = performance;
  return {
    url: entry.name,
    wireBytes: entry.transferSize,
    encodedBytes: entry.encodedBodySize,
    decodedBytes: entry.decodedBodySize,
    isKept: entry.workerStart > 0 && entry.transferSize === 0,
    start: timeOrigin + entry.startTime,
    // A request that failed has no first byte.
    response: timeOrigin + (entry.responseStart || entry.responseEnd),
    end: timeOrigin + entry.responseEnd,
  };
}
