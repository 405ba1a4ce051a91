/** The files that the page fetches for its worker, as they come in. */

import type { ToWorker } from '../messages';
import { FailureError } from './failure-error';

/** A message that brings some of a file, or its end. */
export type Delivery = Extract<ToWorker, { kind: 'piece' | 'complete' | 'missing' }>;

/** Bytes of a file, piece by piece. */
export type ByteStream = ReadableStream<Uint8Array<ArrayBuffer>>;

interface Arrival {
  readonly stream: ByteStream;
  readonly controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
}

/** Keeps what comes before somebody wants it. */
export class Incoming {
  readonly #arrivals = new Map<string, Arrival>();

  /** Returns a file; it fails with a {@link FailureError} where the page could not get it. */
  file(address: string): ByteStream {
    return this.#arrival(address).stream;
  }

  /** Takes what the page delivers. */
  take(delivery: Delivery): void {
    const { controller } = this.#arrival(delivery.file);
    switch (delivery.kind) {
      case 'piece':
        controller.enqueue(delivery.bytes);
        break;
      case 'complete':
        controller.close();
        break;
      case 'missing':
        controller.error(new FailureError(delivery.failure));
        break;
    }
  }

  #arrival(address: string): Arrival {
    const known = this.#arrivals.get(address);
    if (known) {
      return known;
    }
    let controller: Arrival['controller'] | undefined;
    const stream: ByteStream = new ReadableStream({
      start: (its) => {
        controller = its;
      },
    });
    const arrival = { stream, controller: controller as Arrival['controller'] };
    this.#arrivals.set(address, arrival);
    return arrival;
  }
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

/** Returns the whole of a file. */
export async function wholeFile(stream: ByteStream): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  await forEachPiece([stream], (piece) => void pieces.push(piece));
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.byteLength;
  }
  return whole;
}

/** Returns the last part of an address, which is how people know the file. */
export function fileName(address: string): string {
  return address.split('/').at(-1) || address;
}
