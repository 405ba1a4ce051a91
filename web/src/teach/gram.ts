/** The inner products of photos' features, kept while photos come and go. */

import { addTo, dot, zeros } from './vectors';

/** All solvers here need of the photos: they span no more dimensions than there are photos. */
export class Gram {
  readonly #features: Float32Array[] = [];
  /** Row `i` has the products with photos 0 to `i`. */
  readonly #rows: Float64Array[] = [];

  /** How many photos there are. */
  get size(): number {
    return this.#features.length;
  }

  /** The photos' features, in the order in which they came. */
  get features(): readonly Float32Array[] {
    return this.#features;
  }

  /** Adds a photo behind the others. */
  add(features: Float32Array): void {
    this.#features.push(features);
    this.#rows.push(Float64Array.from(this.#features, (other) => dot(features, other)));
  }

  /** Takes out a photo; those behind it move up. */
  remove(place: number): void {
    this.#features.splice(place, 1);
    this.#rows.splice(place, 1);
    for (let at = place; at < this.#rows.length; at++) {
      this.#rows[at] = this.#rows[at].filter((_, other) => other !== place);
    }
  }

  /** Returns the product of two photos. */
  of(a: number, b: number): number {
    return a >= b ? this.#rows[a][b] : this.#rows[b][a];
  }

  /**
   * Returns what centring at the mean of the first photos takes.
   *
   * @param count - How many are the first.
   * @returns each photo's product with the mean, the mean's with itself, and the first photos' mean
   *   squared distance from the mean.
   */
  centre(count: number): Centre {
    const products = new Float64Array(this.size);
    for (let at = 0; at < this.size; at++) {
      let sum = 0;
      for (let other = 0; other < count; other++) {
        sum += this.of(at, other);
      }
      products[at] = sum / count;
    }
    let [square, spread] = [0, 0];
    for (let at = 0; at < count; at++) {
      square += products[at] / count;
      spread += this.of(at, at) / count;
    }
    return { products, square, spread: Math.max(spread - square, 1e-12) };
  }

  /**
   * Returns a layer on the features, of a layer that is a sum of products with photos.
   *
   * @param factors - For each tag, of each photo.
   * @param biases - For each tag; they are changed.
   * @param of - The centre by which the products were taken.
   * @param count - Of how many first photos it is the mean.
   */
  layer(factors: Float64Array[], biases: Float64Array, of: Centre, count: number): Layer {
    const width = this.#features[0]?.length ?? 0;
    const weights = new Float32Array(factors.length * width);
    const [row] = zeros(1, width);
    factors.forEach((parts, tag) => {
      const total = parts.reduce((sum, part) => sum + part, 0);
      row.fill(0);
      this.#features.forEach((features, at) => {
        addTo(row, features, parts[at] - (at < count ? total / count : 0));
      });
      weights.set(row, tag * width);
      biases[tag] -= dot(parts, of.products) - total * of.square;
    });
    return { weights, biases: Float32Array.from(biases) };
  }
}

/** See {@link Gram.centre}. */
export interface Centre {
  readonly products: Float64Array;
  readonly square: number;
  readonly spread: number;
}

/** A last layer: outputs are `weights · features + bias`. */
export interface Layer {
  /** Tag by tag, each as many as there are features. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly biases: Float32Array<ArrayBuffer>;
}
