/** The files that the page fetches for its worker, as they come in. */

import type { ToWorker } from '../messages';

/** A message that brings some of a file, or its end. */
export type Delivery = Extract<ToWorker, { kind: 'piece' | 'complete' | 'compiled' }>;

/** Bytes of a file, piece by piece. */
export type ByteStream = ReadableStream<Uint8Array<ArrayBuffer>>;

interface Arrival<Item> {
  readonly stream: ReadableStream<Item>;
  readonly controller: ReadableStreamDefaultController<Item>;
}

/** Keeps what comes before somebody wants it. */
export class Incoming {
  readonly #files = new Map<string, Arrival<Uint8Array<ArrayBuffer>>>();
  readonly #modules = new Map<string, Arrival<WebAssembly.Module>>();

  /** Returns a file; one that the page could not get never ends. */
  file(address: string): ByteStream {
    return arrival(this.#files, address).stream;
  }

  /** Returns what the page made of a WebAssembly file. */
  async module(address: string): Promise<WebAssembly.Module> {
    const { value } = await arrival(this.#modules, address).stream.getReader().read();
    return value as WebAssembly.Module;
  }

  /** Takes what the page delivers. */
  take(delivery: Delivery): void {
    const { file } = delivery;
    switch (delivery.kind) {
      case 'piece':
        arrival(this.#files, file).controller.enqueue(delivery.bytes);
        break;
      case 'complete':
        arrival(this.#files, file).controller.close();
        break;
      case 'compiled':
        arrival(this.#modules, file).controller.enqueue(delivery.module);
        break;
    }
  }
}

function arrival<Item>(arrivals: Map<string, Arrival<Item>>, address: string): Arrival<Item> {
  const known = arrivals.get(address);
  if (known) {
    return known;
  }
  let controller: ReadableStreamDefaultController<Item> | undefined;
  const stream = new ReadableStream<Item>({
    start: (its) => {
      controller = its;
    },
  });
  const made = { stream, controller: controller as ReadableStreamDefaultController<Item> };
  arrivals.set(address, made);
  return made;
}

/** Calls back with every piece of some files, one file after another. */
export async function forEachPiece(
  streams: Iterable<ByteStream>,
  take: (bytes: Uint8Array<ArrayBuffer>) => void | Promise<void>,
): Promise<void> {
  for (const stream of streams) {
    const reader = stream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      await take(value);
    }
  }
}

/** Returns the last part of an address, which is how people know the file. */
export function fileName(address: string): string {
  return address.split('/').at(-1) || address;
}
