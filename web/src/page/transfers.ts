/** Counts what the page's parts cost on the wire. */

import type { Transfer } from '../messages';
import { transfersOf } from './wire';

/** The parts of the page, in the order they are shown. */
export const PARTS = ['page', 'runtime', 'wasm', 'preview', 'model', 'photos'] as const;

/** One of {@link PARTS}. */
export type Part = (typeof PARTS)[number];

/** Whose request it was. */
export type Side = 'page' | 'worker';

/** What is known of the page's addresses, all of them absolute. */
export interface Addresses {
  readonly worker: string;
  /** The contract among them, and the rest as far as the page names them. */
  readonly model: ReadonlySet<string>;
  /** Likewise, and empty where there is none. */
  readonly preview: ReadonlySet<string>;
  readonly photos: ReadonlySet<string>;
}

/** Bytes of one part. */
export interface PartBytes {
  readonly wireBytes: number;
  readonly decodedBytes: number;
}

/** Returns which part a request belongs to, or null if it never left the browser. */
export function partOf(url: string, side: Side, addresses: Addresses): Part | null {
  if (!/^https?:/.test(url)) {
    return null;
  }
  if (addresses.photos.has(url)) {
    return 'photos';
  }
  const { pathname } = new URL(url);
  if (pathname.endsWith('.wasm')) {
    return 'wasm';
  }
  if (addresses.preview.has(url)) {
    return 'preview';
  }
  if (addresses.model.has(url)) {
    return 'model';
  }
  if (url === addresses.worker) {
    return 'runtime';
  }
  if (side === 'page') {
    return 'page';
  }
  // The worker asks for nothing but its own code; it gets all else from the page.
  return 'runtime';
}

/** Adds up requests of both sides. */
export class TransferCount {
  readonly #addresses: Addresses;
  readonly #files = new Map<string, { part: Part; wireBytes: number; decodedBytes: number }>();

  constructor(addresses: Addresses) {
    this.#addresses = addresses;
  }

  /**
   * Adds requests.
   *
   * A file that was asked for twice has travelled as often as the wire says, but its
   * content counts once; and what the worker asks for too is not the page's own.
   */
  add(transfers: readonly Transfer[], side: Side): void {
    for (const { url, wireBytes, decodedBytes } of transfers) {
      const part = partOf(url, side, this.#addresses);
      if (!part) {
        continue;
      }
      const known = this.#files.get(url);
      this.#files.set(url, {
        part: known && side === 'page' ? known.part : part,
        wireBytes: (known?.wireBytes ?? 0) + wireBytes,
        decodedBytes: Math.max(known?.decodedBytes ?? 0, decodedBytes),
      });
    }
  }

  /** Returns the sums so far. */
  bytes(part: Part | 'total'): PartBytes {
    let wireBytes = 0;
    let decodedBytes = 0;
    for (const file of this.#files.values()) {
      if (part === 'total' || file.part === part) {
        wireBytes += file.wireBytes;
        decodedBytes += file.decodedBytes;
      }
    }
    return { wireBytes, decodedBytes };
  }
}

/** Reports the page's own requests, the document and those before the call included. */
export function watchPageTransfers(report: (transfers: readonly Transfer[]) => void): void {
  const observer = new PerformanceObserver((list) => {
    void transfersOf(list.getEntries() as PerformanceResourceTiming[]).then(report);
  });
  observer.observe({ type: 'navigation', buffered: true });
  observer.observe({ type: 'resource', buffered: true });
}
