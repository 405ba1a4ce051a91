/** Builds the model as its weights come in, and runs it meanwhile on the first photo. */

import type { Classifier } from './classifier';
import type { Answer, EarlyRun } from './early-run';
import type { LoadedModel } from './model-loader';
import type { PreparedPhoto } from './preprocess';

/** What came of a photo while the model was still on its way. */
export interface FirstResult {
  readonly photo: PreparedPhoto;
  readonly answer: Answer;
  readonly inferenceMs: number;
}

/**
 * Returns the photo that is to be tagged first, or null as long as there is none.
 *
 * @param isLast - Whether it is not asked again, so that a photo on its way is worth waiting for.
 */
export type FirstPhoto = (isLast: boolean) => Promise<PreparedPhoto | null>;

/** Joins what comes at its own pace: the backend, the weights and the photo. */
export class FirstRun {
  readonly #classifier: Classifier;
  readonly #files: LoadedModel;
  readonly #firstPhoto: FirstPhoto;
  #added = 0;
  #asking: Promise<void> | undefined;
  #begun: { readonly photo: PreparedPhoto; readonly run: EarlyRun } | undefined;

  /** @param classifier - Still without weights. */
  constructor(classifier: Classifier, files: LoadedModel, firstPhoto: FirstPhoto) {
    this.#classifier = classifier;
    this.#files = files;
    this.#firstPhoto = firstPhoto;
    this.advance();
  }

  /** Takes the weights that have come since the last call. */
  advance(): void {
    for (; this.#added < this.#files.weights.length; this.#added++) {
      const weight = this.#files.weights[this.#added];
      if (weight) {
        this.#classifier.add(weight);
      }
    }
    if (this.#begun) {
      this.#begun.run.advance();
    } else {
      this.#tryToBegin();
    }
  }

  /**
   * Ends the first run when all weights have come; without a photo it is one on zeros.
   *
   * @throws {@link FailureError} if the model does not give what its contract says.
   */
  async finish(): Promise<FirstResult | null> {
    this.advance();
    await this.#begin();
    await this.#askForPhoto(true);
    if (!this.#begun) {
      await this.#classifier.warmUp();
      return null;
    }
    const { photo, run } = this.#begun;
    const answer = await run.finish();
    this.#classifier.check(answer);
    return { photo, answer, inferenceMs: run.elapsedMs };
  }

  /** A failure is reported when the run has to end. */
  #tryToBegin(): void {
    this.#begin().catch(() => undefined);
  }

  #begin(): Promise<void> {
    this.#asking ??= this.#askForPhoto(false).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askForPhoto(isLast: boolean): Promise<void> {
    const photo = this.#begun ? null : await this.#firstPhoto(isLast);
    if (photo) {
      this.#begun = { photo, run: this.#classifier.early(photo.input) };
    }
  }
}
