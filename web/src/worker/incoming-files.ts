/** The files that the page fetches for its worker, as they come in. */

import { digestOf } from '../integrity/digest';
import type { Failure, ToWorker } from '../messages';
import { FailureError } from './failure-error';

/** A message that brings some of a file, or its end. */
export type Delivery = Extract<ToWorker, { kind: 'piece' | 'complete' | 'compiled' }>;

type Completion = Extract<Delivery, { kind: 'complete' }>;

/** Bytes of a file, piece by piece. */
export type ByteStream = ReadableStream<Uint8Array<ArrayBuffer>>;

/** What comes of one file; it may be wanted before or after it has come. */
class Arrival<Item> {
  readonly stream: ReadableStream<Item>;
  readonly controller: ReadableStreamDefaultController<Item>;
  /** All that has come, until it has been looked at. */
  readonly items: Item[] = [];
  #decide: ((damage: Failure | null) => void) | undefined;

  /** Settles, when all has come, with what is wrong with it. */
  readonly damage = new Promise<Failure | null>((resolve) => {
    this.#decide = resolve;
  });

  constructor() {
    let controller: ReadableStreamDefaultController<Item> | undefined;
    this.stream = new ReadableStream({
      start: (its) => {
        controller = its;
      },
    });
    this.controller = controller as ReadableStreamDefaultController<Item>;
  }

  put(item: Item): void {
    this.items.push(item);
    this.controller.enqueue(item);
  }

  end(damage: Failure | null): void {
    this.items.length = 0;
    this.#decide?.(damage);
    if (damage) {
      this.controller.error(new FailureError(damage));
    } else {
      this.controller.close();
    }
  }
}

/**
 * Keeps what comes before somebody wants it.
 *
 * A file ends when its digest has been checked. Readers may use its bytes before that, but must
 * wait for its end before they show anything made from them.
 */
export class Incoming {
  readonly #giveBack: (file: string, content: Blob) => void;
  readonly #files = new Map<string, Arrival<Uint8Array<ArrayBuffer>>>();
  readonly #modules = new Map<string, Arrival<WebAssembly.Module>>();

  /** @param giveBack - Called with a right file that the page wants back. */
  constructor(giveBack: (file: string, content: Blob) => void) {
    this.#giveBack = giveBack;
  }

  /**
   * Returns a file; it fails with a {@link FailureError} where it is not the one that was
   * published, and never ends where the page could not get it.
   */
  file(address: string): ByteStream {
    return arrival(this.#files, address).stream;
  }

  /** Returns what the page made of a WebAssembly file. */
  async module(address: string): Promise<WebAssembly.Module> {
    const { value } = await arrival(this.#modules, address).stream.getReader().read();
    return value as WebAssembly.Module;
  }

  /**
   * Settles with what is wrong with one of some files, or, when all have come, with nothing.
   *
   * Whatever a reader thinks of damaged bytes is of no interest.
   */
  async damageIn(addresses: readonly string[]): Promise<Failure | null> {
    const all = addresses.map((address) => arrival(this.#files, address).damage);
    const first = new Promise<Failure>((resolve) => {
      all.forEach((each) => void each.then((damage) => damage && resolve(damage)));
    });
    return Promise.race([first, Promise.all(all).then((each) => each.find(Boolean) ?? null)]);
  }

  /** Takes what the page delivers. */
  take(delivery: Delivery): void {
    const { file } = delivery;
    switch (delivery.kind) {
      case 'piece':
        arrival(this.#files, file).put(delivery.bytes);
        break;
      case 'complete':
        void this.#finish(delivery);
        break;
      case 'compiled':
        arrival(this.#modules, file).put(delivery.module);
        break;
    }
  }

  async #finish({ file, digest, isWanted }: Completion): Promise<void> {
    const arrived = arrival(this.#files, file);
    const isRight = digest === null || (await digestOf(arrived.items)) === digest;
    if (isRight && isWanted) {
      this.#giveBack(file, new Blob(arrived.items));
    }
    arrived.end(isRight ? null : { code: 'damaged', file: fileName(file) });
  }
}

function arrival<Item>(arrivals: Map<string, Arrival<Item>>, address: string): Arrival<Item> {
  const known = arrivals.get(address) ?? new Arrival<Item>();
  arrivals.set(address, known);
  return known;
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
