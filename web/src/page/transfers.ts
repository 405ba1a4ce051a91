/** Counts what the page's parts cost on the wire, and keeps when each request was under way. */

import type { Transfer } from '../messages';
import { transfersOf } from './wire-bytes';

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

/** A file, with all requests for it in their order. */
export interface LoadedFile extends PartBytes {
  readonly url: string;
  readonly part: Part;
  readonly requests: readonly Transfer[];
}

/** Returns those of a file's requests that brought it: what travelled, else the first. */
export function bringers({ requests }: LoadedFile): readonly Transfer[] {
  const travelled = requests.filter(({ wireBytes }) => wireBytes > 0);
  return travelled.length > 0 ? travelled : requests.slice(0, 1);
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
  // The worker requests only its own code and gets everything else from the page.
  return 'runtime';
}

/** Adds up requests of both sides. */
export class TransferCount {
  readonly #addresses: Addresses;
  readonly #files = new Map<string, LoadedFile>();

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
    for (const transfer of transfers) {
      const { url, start } = transfer;
      const part = partOf(url, side, this.#addresses);
      if (!part) {
        continue;
      }
      const known = this.#files.get(url);
      // The document's entry is reported twice: while it loads and when it is complete.
      const others = known?.requests.filter((request) => request.start !== start) ?? [];
      const requests = [...others, transfer].sort((one, two) => one.start - two.start);
      this.#files.set(url, {
        url,
        part: known && side === 'page' ? known.part : part,
        wireBytes: requests.reduce((sum, { wireBytes }) => sum + wireBytes, 0),
        decodedBytes: Math.max(...requests.map(({ decodedBytes }) => decodedBytes)),
        requests,
      });
    }
  }

  /** Returns the files of a part so far, in the order in which they were asked for. */
  files(part: Part | 'total'): readonly LoadedFile[] {
    return [...this.#files.values()]
      .filter((file) => part === 'total' || file.part === part)
      .sort((one, two) => startOf(one) - startOf(two));
  }

  /** Returns the sums so far. */
  bytes(part: Part | 'total'): PartBytes {
    const files = this.files(part);
    return {
      wireBytes: files.reduce((sum, file) => sum + file.wireBytes, 0),
      decodedBytes: files.reduce((sum, file) => sum + file.decodedBytes, 0),
    };
  }
}

function startOf({ requests }: LoadedFile): number {
  return requests[0]?.start ?? 0;
}

/** Reports the page's own requests, the document and those before the call included. */
export function watchPageTransfers(report: (transfers: readonly Transfer[]) => void): void {
  const observer = new PerformanceObserver((list) => {
    void transfersOf(list.getEntries() as PerformanceResourceTiming[]).then(report);
  });
  observer.observe({ type: 'navigation', buffered: true });
  observer.observe({ type: 'resource', buffered: true });
}
