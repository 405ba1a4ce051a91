/** Tags photos on whichever backend is the best so far. */

import type { InputSpec } from '../contract';
import type { BackendReason, BackendReport, GpuBackend, Tagging } from '../messages';
import type { Classifier } from './classifier';
import { detailOf } from './failure-error';
import type { ModelFiles } from './model-files';
import type { PreparedPhoto } from './preprocess';
import { bestTags } from './ranking';
import { isLost, memory } from './tfjs';

/** What the graph said, and how long it took. */
interface Run {
  readonly outputs: Float32Array;
  readonly inferenceMs: number;
}

/** Holds the loaded model. */
export class Tagger {
  readonly #files: ModelFiles;
  readonly #simd: boolean;
  readonly #report: (report: BackendReport) => void;
  readonly #first: Classifier;
  #active: Classifier;
  #lastInput: Float32Array | undefined;
  #warm: { readonly photo: PreparedPhoto; readonly run: Run } | undefined;

  /** @param report - Called with the backend in use: now, and when that changes. */
  constructor(
    files: ModelFiles,
    first: Classifier,
    simd: boolean,
    reason: BackendReason,
    report: (report: BackendReport) => void,
  ) {
    this.#files = files;
    this.#simd = simd;
    this.#report = report;
    this.#first = first;
    this.#active = first;
    this.settle(reason);
  }

  /** How the model wants its photos. */
  get input(): InputSpec {
    return this.#files.contract.input;
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

  /**
   * Runs the model once, which compiles what its backend compiles lazily.
   *
   * @param photo - To be tagged next, so that its run is not wasted; null if there is none.
   */
  async warmUp(photo: PreparedPhoto | null): Promise<void> {
    const begin = performance.now();
    const outputs = await this.#first.warmUp(photo?.input);
    if (photo) {
      this.#warm = { photo, run: { outputs, inferenceMs: performance.now() - begin } };
    }
  }

  /** Tags one photo. */
  async tag(photo: PreparedPhoto): Promise<Tagging> {
    const warm = this.#warm;
    this.#warm = undefined;
    const { outputs, inferenceMs } = warm?.photo === photo ? warm.run : await this.#timed(photo);
    const { input, view, preprocessMs } = photo;
    this.#lastInput = input;
    return {
      tags: bestTags(outputs, this.#files.contract.output),
      view,
      preprocessMs,
      inferenceMs,
      backend: this.#active.backend,
      tensors: memory().numTensors,
    };
  }

  async #timed({ input }: PreparedPhoto): Promise<Run> {
    const begin = performance.now();
    const outputs = await this.#run(input);
    return { outputs, inferenceMs: performance.now() - begin };
  }

  async #run(input: Float32Array): Promise<Float32Array> {
    const active = this.#active;
    if (active === this.#first) {
      return active.run(input);
    }
    // A graphics processor may go away at any time: a driver restarts, a laptop sleeps.
    // The model still lies on the first backend, so the visitor need not notice.
    let detail = 'the browser took the graphics processor away';
    try {
      const outputs = await active.run(input);
      if (!isLost(active.backend)) {
        return outputs;
      }
    } catch (error) {
      detail = detailOf(error);
    }
    this.settle({ code: 'gpu-failed', gpu: active.backend as GpuBackend, detail }, this.#first);
    return this.#first.run(input);
  }
}
