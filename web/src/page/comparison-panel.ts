/** Compares all variants on one photo; loaded when the visitor asks for it. */

import type { BackendName, Transfer } from '../messages';
import { compareInTurn, type Progress } from './variant-comparison';
import { ComparisonCard } from './comparison-cards';
import { element } from './elements';
import { say } from './language';
import { BACKEND_NAMES } from './sentences';
import type { Variant } from './site-files';
import { TrialError, tryModel } from './variant-trial';

/** One comparison, from its start to the photo after. */
export class ComparisonPanel {
  readonly #variants: readonly Variant[];
  readonly #transfers: (list: readonly Transfer[]) => void;
  readonly #cancel = new AbortController();
  readonly #section = element('#comparison', HTMLElement);
  readonly #status = element('#comparison-status', HTMLElement);
  readonly #bar = element('#comparison-progress', HTMLProgressElement);
  readonly #button = element('#comparison-cancel', HTMLButtonElement);
  readonly #alert = element('#comparison-alert', HTMLElement);
  readonly #cards = new Map<Variant, ComparisonCard>();
  #isOutdated = false;

  /** @param transfers - Called with what the workers themselves have asked for. */
  constructor(variants: readonly Variant[], transfers: (list: readonly Transfer[]) => void) {
    this.#variants = variants;
    this.#transfers = transfers;
    const [first] = variants;
    for (const variant of variants) {
      this.#cards.set(variant, new ComparisonCard(variant, first ?? variant));
    }
  }

  /** Tags a photo with every variant in turn, and shows what comes of it. */
  async run(photo: Blob, backend: BackendName): Promise<void> {
    const { signal } = this.#cancel;
    this.#begin();
    const done = await compareInTurn(
      this.#variants,
      (variant) => tryModel(variant, photo, backend, this.#transfers, signal),
      (variant, progress) => this.#show(variant, progress),
      signal,
    );
    this.#end(done, backend);
  }

  /** Ends what is under way; what was found stays. */
  cancel(): void {
    this.#cancel.abort(new Error('cancelled'));
  }

  /** Says that the page has another photo now. */
  outdate(): void {
    this.#isOutdated = true;
    this.cancel();
    this.#section.dataset['outdated'] = '';
    this.#status.textContent = say('comparedBefore');
  }

  #begin(): void {
    delete this.#section.dataset['outdated'];
    this.#section.hidden = false;
    this.#section.setAttribute('aria-busy', 'true');
    this.#alert.hidden = true;
    this.#alert.textContent = '';
    this.#bar.max = this.#variants.length;
    this.#bar.value = 0;
    this.#button.addEventListener('click', () => this.cancel(), { signal: this.#cancel.signal });
    element('#compared', HTMLElement).replaceChildren(
      ...[...this.#cards.values()].map(({ root }) => root),
    );
    // What was pressed cannot keep the focus, and this is what can be done next.
    this.#button.focus();
  }

  #show(variant: Variant, progress: Progress): void {
    this.#cards.get(variant)?.show(progress);
    const { name } = variant;
    const place = this.#variants.indexOf(variant) + 1;
    if (progress.kind === 'running') {
      const count = this.#variants.length;
      this.#status.textContent = say('comparing', { name, place, count });
    } else if (progress.kind !== 'waiting') {
      this.#bar.value = place;
    }
    if (progress.kind === 'failed') {
      const { error } = progress;
      const sentence =
        error instanceof TrialError
          ? error.message
          : say('failedWorker', { detail: String(error) });
      this.#alert.append(says(say('comparedFailure', { name, sentence })));
      this.#alert.hidden = false;
    }
  }

  #end(done: number, backend: BackendName): void {
    if (document.activeElement === this.#button) {
      element('#comparison-title', HTMLElement).focus();
    }
    this.#section.removeAttribute('aria-busy');
    this.cancel(); // nothing is left to cancel but the button's listener
    if (this.#isOutdated) {
      return;
    }
    const count = this.#variants.length;
    this.#status.textContent =
      done === count
        ? say('compared', { count, backend: BACKEND_NAMES[backend] })
        : say('comparedPartly', { done, count });
  }
}

function says(sentence: string): HTMLElement {
  const line = document.createElement('span');
  line.textContent = sentence;
  return line;
}
