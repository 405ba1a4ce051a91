/** What requests cost on the wire, also where the service worker made them for the page. */

import type { Transfer } from '../messages';
import { transferOf } from '../resource-timing';

/** How long the service worker may take to answer: one of an earlier version does not. */
const PATIENCE_MS = 1000;

/** A request of this page, in milliseconds since the epoch; templates/sw.js.j2 reads it. */
interface Asked {
  readonly url: string;
  readonly start: number;
  readonly end: number;
}

/** Returns the transfers of finished requests. */
export async function transfersOf(
  entries: readonly PerformanceResourceTiming[],
): Promise<readonly Transfer[]> {
  // To the page every answer of the service worker looks like a cache hit.
  const hidden = entries.filter((entry) => entry.workerStart > 0 && entry.transferSize === 0);
  const told = await bytesOf(
    hidden.map(({ name, startTime, responseEnd }) => ({
      url: name,
      start: performance.timeOrigin + startTime,
      end: performance.timeOrigin + responseEnd,
    })),
  );
  const known = new Map(hidden.map((entry, place) => [entry, told[place]]));
  return entries.map((entry) => {
    const transfer = transferOf(entry);
    const wireBytes = known.get(entry) ?? transfer.wireBytes;
    return { ...transfer, wireBytes, isKept: transfer.isKept && wireBytes === 0 };
  });
}

/** Asks the service worker what it has fetched for some requests. */
async function bytesOf(asked: readonly Asked[]): Promise<readonly number[]> {
  const worker = navigator.serviceWorker?.controller;
  if (!worker || asked.length === 0) {
    return [];
  }
  const { port1, port2 } = new MessageChannel();
  try {
    return await new Promise((resolve) => {
      port1.onmessage = ({ data }: MessageEvent<readonly number[]>) => resolve(data);
      setTimeout(() => resolve([]), PATIENCE_MS);
      worker.postMessage(asked, [port2]);
    });
  } finally {
    port1.close();
  }
}
