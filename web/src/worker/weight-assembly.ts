/** Makes weights out of bytes as they come in, so that little is left to do after the last. */

import { FailureError } from './failure-error';
import { isPacked, unpack } from './packed-weights';
import type { io } from './tfjs';
import type { WeightGroup } from './weights-manifest';

/** Weights as TF.js knows them. */
export interface Weights {
  readonly specs: io.WeightsManifestEntry[];
  /** Their bytes, each weight's for itself. */
  readonly data: ArrayBuffer[];
}

/** Puts one group of weights together. */
export class WeightAssembly {
  readonly #group: WeightGroup;
  readonly #scales: Float32Array;
  readonly #weights: Weights = { specs: [], data: [] };
  #position = -1;
  #stored = new Uint8Array(0);
  #filled = 0;
  #receivedBytes = 0;

  /** @param scales - Of packed weights; null if there are none. */
  constructor(group: WeightGroup, scales: Float32Array | null) {
    this.#group = group;
    this.#scales = scales ?? new Float32Array(0);
    this.#next();
  }

  /**
   * Takes the next bytes of the group; they may be used for something else afterwards.
   *
   * @throws {@link FailureError} if a weight is damaged.
   */
  take(bytes: Uint8Array): void {
    this.#receivedBytes += bytes.length;
    let from = 0;
    while (from < bytes.length && this.#position < this.#group.specs.length) {
      const part = bytes.subarray(from, from + this.#stored.length - this.#filled);
      this.#stored.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled === this.#stored.length) {
        this.#finishWeight();
      }
    }
  }

  /**
   * Returns the weights when all bytes have come.
   *
   * @throws {@link FailureError} if they are too many or too few.
   */
  finish(): Weights {
    const { sizes, paths } = this.#group;
    const expected = sizes.reduce((sum, size) => sum + size, 0);
    const received = this.#receivedBytes;
    if (received !== expected) {
      // The manifest knows the length of the group only, not of each of its files.
      throw new FailureError({ code: 'length', file: paths.join(' + '), expected, received });
    }
    return this.#weights;
  }

  #finishWeight(): void {
    const spec = this.#group.specs[this.#position] as io.WeightsManifestEntry;
    const { specs, data } = this.#weights;
    if (isPacked(spec)) {
      const values = unpack(spec, this.#stored, this.#scales);
      specs.push({ name: spec.name, shape: spec.shape, dtype: 'float32' });
      data.push(values.buffer);
    } else {
      specs.push(spec);
      data.push(this.#stored.buffer);
    }
    // TF.js, looking for a byte, loses its way among empty pieces.
    if (data.at(-1)?.byteLength === 0) {
      data.pop();
    }
    this.#next();
  }

  #next(): void {
    this.#position++;
    this.#stored = new Uint8Array(this.#group.sizes[this.#position] ?? 0);
    this.#filled = 0;
    if (this.#stored.length === 0 && this.#position < this.#group.specs.length) {
      this.#finishWeight();
    }
  }
}
