/** A model on one backend. */

import type { Contract } from '../contract';
import type { BackendName } from '../messages';
import { type Answer, EarlyRun } from './early-run';
import { detailOf, FailureError } from './failure-error';
import { Graph } from './graph';
import type { LoadedModel } from './model-loader';
import { type Tensor, tensor4d, use, valuesOf } from './tfjs';
import type { Weight } from './weight-assembly';

/**
 * Keeps its weights on its own backend, so that two of them can be compared without
 * moving weights to and fro. Their runs must not overlap: TF.js has one current backend.
 */
export class Classifier {
  readonly backend: BackendName;
  readonly #graph: Graph;
  readonly #contract: Contract;
  readonly #file: string;

  private constructor(backend: BackendName, { description, contract, file }: LoadedModel) {
    this.backend = backend;
    this.#contract = contract;
    this.#file = file;
    this.#graph = this.#built(() => new Graph(description.json));
  }

  /** Builds the graph on a backend that has been started, still without weights. */
  static async begin(backend: BackendName, files: LoadedModel): Promise<Classifier> {
    await use(backend);
    return new Classifier(backend, files);
  }

  /** Builds the graph on a backend that has been started, with the weights, which are all there. */
  static async load(backend: BackendName, files: LoadedModel): Promise<Classifier> {
    const classifier = await Classifier.begin(backend, files);
    files.weights.forEach((weight) => classifier.add(weight));
    return classifier;
  }

  /** Adds a weight; this backend has to be the current one. */
  add(weight: Weight): void {
    this.#built(() => this.#graph.add(weight));
  }

  /** Begins a first run, which can go on as weights come; this backend stays current meanwhile. */
  early(input: Float32Array): EarlyRun {
    return this.#built(() => new EarlyRun(this.#graph, this.#fed(input), this.#feature));
  }

  /**
   * Checks that a run gave what the contract says.
   *
   * @throws {@link FailureError} if not.
   */
  check({ outputs, features }: Answer): void {
    const { label_offset, labels } = this.#contract.output;
    const expected = label_offset + labels.length;
    const found = outputs.length;
    if (found !== expected) {
      throw new FailureError({ code: 'outputs', expected, found });
    }
    if (this.#feature && !features) {
      this.#built(() => {
        throw new Error(`it has no features at ${this.#feature}`);
      });
    }
  }

  /** Runs the graph once on zeros, which compiles what the backend compiles lazily. */
  async warmUp(): Promise<void> {
    const { height, width } = this.#contract.input;
    this.check(await this.run(new Float32Array(height * width * 3)));
  }

  /**
   * Returns what comes of one input, NHWC without the batch.
   *
   * @param withFeatures - Whether the features are wanted where no rule needs them.
   * @throws if the backend computes no longer.
   */
  async run(input: Float32Array, withFeatures = false): Promise<Answer> {
    await use(this.backend);
    const fed = this.#fed(input);
    let found: readonly Tensor[] = [];
    try {
      const { features: row } = this.#contract.output;
      found = this.#graph.run(fed, this.#feature ?? (withFeatures ? row?.node : undefined));
      const [output, features] = found;
      return {
        outputs: await valuesOf(output as Tensor),
        features: features ? await valuesOf(features) : null,
      };
    } finally {
      fed.dispose();
      found.forEach((each) => each.dispose());
    }
  }

  /** Frees the weights. */
  dispose(): void {
    this.#graph.dispose();
  }

  /** The node whose output are the features, where a rule needs them. */
  get #feature(): string | undefined {
    return this.#contract.output.none_of_these?.feature;
  }

  #fed(input: Float32Array): Tensor {
    const { height, width } = this.#contract.input;
    return tensor4d(input, [1, height, width, 3]);
  }

  #built<Result>(build: () => Result): Result {
    try {
      return build();
    } catch (error) {
      throw new FailureError({ code: 'graph', file: this.#file, detail: detailOf(error) }, error);
    }
  }
}
