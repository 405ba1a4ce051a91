/** Tags photos on whichever backend is the best so far. */

import type { InputSpec } from '../contract';
import type { BackendReason, BackendReport, Photo, Tagging } from '../messages';
import type { Classifier } from './classifier';
import { detailOf } from './failure-error';
import type { ModelFiles } from './model-files';
import { croppedPhoto, modelInput } from './preprocess';
import { bestTags } from './ranking';
import { memory, webglIsLost } from './tfjs';

/** Holds the loaded model. */
export class Tagger {
  readonly #files: ModelFiles;
  readonly #simd: boolean;
  readonly #report: (report: BackendReport) => void;
  readonly #first: Classifier;
  #active: Classifier;
  #lastInput: Float32Array | undefined;

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
   * Tags one photo.
   *
   * @param isStale - Asked once the photo is decoded; if it says so, nothing is run.
   * @returns null for a photo that went stale.
   */
  async tag(photo: Photo, isStale: () => boolean): Promise<Tagging | null> {
    const begin = performance.now();
    const { pixels, view } = await croppedPhoto(photo, this.input);
    if (isStale()) {
      return null;
    }
    const input = modelInput(pixels, this.input);
    const prepared = performance.now();
    const outputs = await this.#run(input);
    const done = performance.now();
    this.#lastInput = input;
    return {
      tags: bestTags(outputs, this.#files.contract.output),
      view,
      preprocessMs: prepared - begin,
      inferenceMs: done - prepared,
      backend: this.#active.backend,
      tensors: memory().numTensors,
    };
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
      if (!webglIsLost()) {
        return outputs;
      }
    } catch (error) {
      detail = detailOf(error);
    }
    this.settle({ code: 'webgl-failed', detail }, this.#first);
    return this.#first.run(input);
  }
}
