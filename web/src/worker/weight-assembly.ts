/** Makes weights out of bytes as they come in, so that little is left to do after the last. */

import { FailureError } from './failure-error';
import { isPacked, unpack } from './packed-weights';
import type { io } from './tfjs';
import type { WeightGroup } from './weights-manifest';

/** A weight as TF.js knows it. */
export interface Weight {
  readonly spec: io.WeightsManifestEntry;
  readonly data: ArrayBuffer;
}

/** Puts one group of weights together. */
export class WeightAssembly {
  readonly #group: WeightGroup;
  readonly #scales: Float32Array;
  readonly #add: (weight: Weight) => void;
  #position = -1;
  #stored = new Uint8Array(0);
  #filled = 0;
  #receivedBytes = 0;

  /**
   * @param scales - Of packed weights; null if there are none.
   * @param add - Called with every weight as soon as it has come, in the manifest's order.
   */
  constructor(group: WeightGroup, scales: Float32Array | null, add: (weight: Weight) => void) {
    this.#group = group;
    this.#scales = scales ?? new Float32Array(0);
    this.#add = add;
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
   * Says that all bytes have come.
   *
   * @throws {@link FailureError} if they are too many or too few.
   */
  finish(): void {
    const { sizes, paths } = this.#group;
    const expected = sizes.reduce((sum, size) => sum + size, 0);
    const received = this.#receivedBytes;
    if (received !== expected) {
      // The manifest knows the length of the group only, not of each of its files.
      throw new FailureError({ code: 'length', file: paths.join(' + '), expected, received });
    }
  }

  #finishWeight(): void {
    const spec = this.#group.specs[this.#position] as io.WeightsManifestEntry;
    if (isPacked(spec)) {
      const { buffer } = unpack(spec, this.#stored, this.#scales);
      this.#add({
        spec: { name: spec.name, shape: spec.shape, dtype: 'float32' },
        data: buffer,
      });
    } else {
      this.#add({ spec, data: this.#stored.buffer });
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
