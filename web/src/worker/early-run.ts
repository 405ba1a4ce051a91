/** The first run of a graph, which goes as far as the weights have come. */

import type { Graph } from './graph';
import type { Stop } from './graph-stops';
import { type Tensor, valuesOf } from './tfjs';

/** What a run gives. */
export interface Answer {
  readonly outputs: Float32Array;
  /** The input of the last dense layer; null where nobody needs it. */
  readonly features: Float32Array | null;
}

/** Leaves for the time after the last weight only what that weight is for. */
export class EarlyRun {
  readonly #graph: Graph;
  #tensor: Tensor;
  #last: Stop | null = null;
  #rest: readonly Stop[];
  #elapsedMs = 0;
  readonly #feature: string | undefined;
  #features: Tensor | null = null;

  /**
   * @param input - Becomes the run's own, to be disposed.
   * @param feature - The node whose output are the features, where they are needed: it is a stop.
   */
  constructor(graph: Graph, input: Tensor, feature?: string) {
    this.#graph = graph;
    this.#feature = feature;
    this.#tensor = input;
    this.#rest = graph.stops();
  }

  /** How long it has computed so far, in milliseconds. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Goes on to the last stop that the weights allow. */
  advance(): void {
    const missing = this.#rest.findIndex(({ weights }) => !this.#graph.has(weights));
    const count = missing < 0 ? this.#rest.length : missing;
    const begin = performance.now();
    this.#rest
      .slice(0, count)
      .filter(({ name }, index) => name === this.#feature || index === count - 1)
      .forEach((stop) => this.#go(stop));
    this.#rest = this.#rest.slice(count);
    this.#elapsedMs += performance.now() - begin;
  }

  /** Returns the outputs, once all weights are there. */
  async finish(): Promise<Answer> {
    this.advance();
    const begin = performance.now();
    try {
      return {
        outputs: await valuesOf(this.#tensor),
        features: this.#features && (await valuesOf(this.#features)),
      };
    } finally {
      this.#tensor.dispose();
      this.#features?.dispose();
      this.#elapsedMs += performance.now() - begin;
    }
  }

  #go(stop: Stop): void {
    const next = this.#graph.runFrom(this.#last, this.#tensor, stop);
    if (this.#tensor !== this.#features) {
      this.#tensor.dispose();
    }
    this.#tensor = next;
    this.#last = stop;
    if (stop.name === this.#feature) {
      this.#features = next;
    }
  }
}
