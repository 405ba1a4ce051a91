/** Tags photos on whichever backend is the best so far. */

import type { InputSpec } from '../contract';
import type { BackendReason, BackendReport, GpuBackend, TagChoice, Tagging } from '../messages';
import type { Classifier } from './classifier';
import type { Answer } from './early-run';
import { detailOf } from './failure-error';
import type { FirstResult } from './first-run';
import type { LoadedModel } from './model-loader';
import { greatestCosine } from './none-of-these';
import type { PreparedPhoto } from './preprocess';
import { tagsOf } from './ranking';
import { memory } from './tfjs';

type Run = Pick<FirstResult, 'answer' | 'inferenceMs'>;

/** Holds the loaded model. */
export class Tagger {
  readonly #files: LoadedModel;
  readonly #simd: boolean;
  readonly #report: (report: BackendReport) => void;
  readonly #first: Classifier;
  readonly #cosineOf: ((features: Float32Array) => number) | null;
  #active: Classifier;
  #lastInput: Float32Array | undefined;
  #firstResult: FirstResult | null;

  /**
   * @param report - Called with the backend in use: now, and when that changes.
   * @param firstResult - For the photo that was run on while the model came, if there was one.
   */
  constructor(
    files: LoadedModel,
    first: Classifier,
    simd: boolean,
    reason: BackendReason,
    report: (report: BackendReport) => void,
    firstResult: FirstResult | null,
  ) {
    this.#files = files;
    const rule = files.contract.output.none_of_these;
    this.#cosineOf = rule && greatestCosine(rule);
    this.#simd = simd;
    this.#report = report;
    this.#first = first;
    this.#active = first;
    this.#firstResult = firstResult;
    this.settle(reason);
  }

  /** How the model wants its photos. */
  get input(): InputSpec {
    return this.#files.contract.input;
  }

  /** The names of the model's classes. */
  get labels(): readonly string[] {
    return this.#files.contract.output.labels;
  }

  /** What the last photo became, for comparing backends on something real. */
  get lastInput(): Float32Array | undefined {
    return this.#lastInput;
  }

  /** Takes a better backend, or stays with the one that runs; says why. */
  settle(reason: BackendReason, better?: Classifier): void {
    this.#active = better ?? this.#active;
    this.#report({ active: this.#active.backend, simd: this.#simd, reason });
  }

  /** Tags one photo. */
  async tag(photo: PreparedPhoto, choice?: TagChoice): Promise<Tagging> {
    const first = this.#firstResult;
    this.#firstResult = null;
    const wanted = choice?.features === true;
    const isDone = first?.photo === photo && !(wanted && !first.answer.features);
    const { answer, inferenceMs } = isDone ? first : await this.#timed(photo, wanted);
    const { outputs, features } = answer;
    const cosine = this.#cosineOf && features && this.#cosineOf(features);
    const { input, view, preprocessMs } = photo;
    this.#lastInput = input;
    const { numTensors, numBytes } = memory();
    return {
      tags: tagsOf(outputs, this.#files.contract.output, cosine, choice),
      cosine,
      ...(wanted && features && { features }),
      view,
      preprocessMs,
      inferenceMs,
      backend: this.#active.backend,
      tensors: numTensors,
      tensorBytes: numBytes,
    };
  }

  async #timed({ input }: PreparedPhoto, withFeatures: boolean): Promise<Run> {
    const begin = performance.now();
    const answer = await this.#run(input, withFeatures);
    return { answer, inferenceMs: performance.now() - begin };
  }

  async #run(input: Float32Array, withFeatures: boolean): Promise<Answer> {
    const active = this.#active;
    try {
      return await active.run(input, withFeatures);
    } catch (error) {
      if (active === this.#first) {
        throw error;
      }
      // A graphics processor may go away at any time: a driver restarts, a laptop sleeps.
      // The model still lies on the first backend, so the visitor need not notice.
      const reason = {
        code: 'gpu-failed',
        gpu: active.backend as GpuBackend,
        detail: detailOf(error),
      } as const;
      this.settle(reason, this.#first);
      return this.#first.run(input, withFeatures);
    }
  }
}
