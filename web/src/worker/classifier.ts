/** A model on one backend. */

import type { Contract } from '../contract';
import type { BackendName } from '../messages';
import { detailOf, FailureError } from './failure-error';
import { Graph } from './graph';
import type { ModelFiles } from './model-files';
import { type Tensor, tensor4d, use } from './tfjs';

/**
 * Keeps its weights on its own backend, so that two of them can be compared without
 * moving weights to and fro. Their runs must not overlap: TF.js has one current backend.
 */
export class Classifier {
  readonly backend: BackendName;
  readonly #graph: Graph;
  readonly #contract: Contract;

  private constructor(backend: BackendName, graph: Graph, contract: Contract) {
    this.backend = backend;
    this.#graph = graph;
    this.#contract = contract;
  }

  /** Builds the graph on a backend that has been started. */
  static async load(backend: BackendName, files: ModelFiles): Promise<Classifier> {
    await use(backend);
    try {
      return new Classifier(backend, new Graph(files.artifacts), files.contract);
    } catch (error) {
      throw new FailureError({ code: 'graph', file: files.file, detail: detailOf(error) }, error);
    }
  }

  /**
   * Runs the graph once, which compiles what the backend compiles lazily, and checks that
   * it has as many outputs as the contract says.
   *
   * @param input - What to run it on; by default zeros.
   */
  async warmUp(input?: Float32Array): Promise<Float32Array> {
    const { height, width } = this.#contract.input;
    const outputs = await this.run(input ?? new Float32Array(height * width * 3));
    const found = outputs.length;
    const { labelOffset, labels } = this.#contract.output;
    const expected = labelOffset + labels.length;
    if (found !== expected) {
      throw new FailureError({ code: 'outputs', expected, found });
    }
    return outputs;
  }

  /** Returns the outputs for one input, NHWC without the batch. */
  async run(input: Float32Array): Promise<Float32Array> {
    await use(this.backend);
    const { height, width } = this.#contract.input;
    const fed = tensor4d(input, [1, height, width, 3]);
    let outputs: readonly Tensor[] = [];
    try {
      outputs = this.#graph.run(fed);
      const [scores] = outputs;
      if (!scores || outputs.length !== 1) {
        throw new Error(`the graph has ${outputs.length} outputs instead of one`);
      }
      return (await scores.data()) as Float32Array;
    } finally {
      fed.dispose();
      for (const output of outputs) {
        output.dispose();
      }
    }
  }

  /** Frees the weights. */
  dispose(): void {
    this.#graph.dispose();
  }
}
