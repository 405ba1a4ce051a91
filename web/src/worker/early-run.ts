/** The first run of a graph, which goes as far as the weights have come. */

import type { Graph } from './graph';
import type { Stop } from './graph-stops';
import { type Tensor, valuesOf } from './tfjs';

/** Leaves for the time after the last weight only what that weight is for. */
export class EarlyRun {
  readonly #graph: Graph;
  #tensor: Tensor;
  #last: Stop | null = null;
  #rest: readonly Stop[];
  #elapsedMs = 0;

  /** @param input - Becomes the run's own, to be disposed. */
  constructor(graph: Graph, input: Tensor) {
    this.#graph = graph;
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
    const stop = this.#rest[count - 1];
    if (!stop) {
      return;
    }
    const begin = performance.now();
    const next = this.#graph.runFrom(this.#last, this.#tensor, stop);
    this.#tensor.dispose();
    this.#tensor = next;
    this.#last = stop;
    this.#rest = this.#rest.slice(count);
    this.#elapsedMs += performance.now() - begin;
  }

  /** Returns the outputs, once all weights are there. */
  async finish(): Promise<Float32Array> {
    this.advance();
    const begin = performance.now();
    try {
      return await valuesOf(this.#tensor);
    } finally {
      this.#tensor.dispose();
      this.#elapsedMs += performance.now() - begin;
    }
  }
}
