/**
 * Ridge regression in its dual form, one number for each tag, which takes a photo more at a time.
 *
 * It keeps the inverse of the Cholesky factor of K + λ I, which grows by a row with each photo. So
 * a photo costs n² steps instead of n³, and what each photo would get if it had not been learned
 * from follows without a further fit (Rifkin and Lippert 2007, MIT-CSAIL-TR-2007-025).
 */

import type { Gram, Layer, Centre } from './gram';
import { addTo, dot } from './vectors';

/**
 * λ, where the photos' mean squared distance from their mean is 1. Of 0.03, 0.1, 0.3 and 1 the best or
 * within a point of it, on flowers, groceries and trash with features of EfficientNet-Lite0.
 */
const PENALTY = 0.1;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** What a fit gives. */
export interface RidgeFit {
  /** Its outputs are as steep as softmax needs them. */
  readonly layer: Layer;
  /** For each tag the output of each photo, by a fit without that photo. */
  readonly leftOut: readonly Float64Array[];
}

/** Fits all photos of a Gram matrix; it keeps what the next fit can use. */
export class Ridge {
  readonly #gram: Gram;
  /** Row by row, the inverse of the Cholesky factor. */
  #inverse: Float64Array[] = [];
  /** How many first photos the centre and the scale are of: a power of two, so they change rarely. */
  #reference = 0;

  constructor(gram: Gram) {
    this.#gram = gram;
  }

  /** Forgets what depends on a photo that is taken out, and on those behind it. */
  forget(place: number): void {
    this.#inverse.length = Math.min(this.#inverse.length, place);
  }

  /**
   * Fits the photos.
   *
   * @param tagOf - The tag of each photo.
   */
  fit(tagOf: readonly number[], tags: number): RidgeFit {
    const gram = this.#gram;
    const count = gram.size;
    const reference = 2 ** Math.floor(Math.log2(count));
    if (reference !== this.#reference || this.#inverse.length < reference) {
      this.#inverse = [];
      this.#reference = reference;
    }
    const centre = gram.centre(reference);
    const scale = 1 / centre.spread;
    this.#grow(centre, scale);

    const own = new Float64Array(count);
    this.#inverse.forEach((row) => row.forEach((each, at) => (own[at] += each * each)));
    const leftOut: Float64Array[] = [];
    const factors: Float64Array[] = [];
    const biases = new Float64Array(tags);
    for (let tag = 0; tag < tags; tag++) {
      const wanted = Float64Array.from(tagOf, (each) => (each === tag ? 1 : 0) - 1 / tags);
      const parts = new Float64Array(count);
      this.#inverse.forEach((row, at) => addTo(parts, row, dot(row, wanted, at + 1), at + 1));
      leftOut.push(wanted.map((value, at) => value - parts[at] / own[at]));
      biases[tag] = parts.reduce((sum, part) => sum + part, 0);
      factors.push(parts.map((part) => part * scale));
    }
    const layer = gram.layer(factors, biases, centre, reference);
    const steep = steepness(leftOut, tagOf);
    return {
      layer: {
        weights: layer.weights.map((weight) => weight * steep),
        biases: layer.biases.map((bias) => bias * steep),
      },
      leftOut,
    };
  }

  #grow({ products, square }: Centre, scale: number): void {
    const gram = this.#gram;
    for (let at = this.#inverse.length; at < gram.size; at++) {
      // The constant 1 is the bias: a further feature that all photos have.
      const product = (other: number): number =>
        scale * (gram.of(at, other) - products[at] - products[other] + square) + 1;
      const given = Float64Array.from({ length: at }, (_, other) => product(other));
      const row = new Float64Array(at + 1);
      let length = 0;
      this.#inverse.forEach((earlier, other) => {
        const part = dot(earlier, given, other + 1);
        length += part * part;
        addTo(row, earlier, -part, other + 1);
      });
      const pivot = Math.sqrt(Math.max(product(at) + PENALTY - length, PENALTY));
      row[at] = 1;
      this.#inverse.push(row.map((each) => each / pivot));
    }
  }
}

/** Returns by what to multiply outputs, so that their softmax means what it says for left-out photos. */
function steepness(leftOut: readonly Float64Array[], tagOf: readonly number[]): number {
  const lost = (logarithm: number): number => {
    const factor = Math.exp(logarithm);
    return tagOf.reduce((total, tag, at) => {
      const outputs = leftOut.map((row) => factor * row[at]);
      const most = Math.max(...outputs);
      const sum = outputs.reduce((all, output) => all + Math.exp(output - most), 0);
      return total + Math.log(sum) + most - outputs[tag];
    }, 0);
  };
  let [low, high] = [0, 4];
  for (let step = 0; step < 12; step++) {
    const [left, right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
    if (lost(left) < lost(right)) {
      high = right;
    } else {
      low = left;
    }
  }
  return Math.exp((low + high) / 2);
}
