/** Lets the visitor choose among the ways in which the weights are stored, and compare them. */

import type { BackendName, Transfer } from '../messages';
import type { ComparisonPanel } from './comparison-panel';
import { element } from './elements';
import { byteSize } from './number-format';
import { say } from './language';
import type { PageState } from './page-state';
import { dropSentence } from './sentences';
import type { Variant } from './site-files';
import { variantAddress } from './variant-choice';

/** What the panel needs of the page. */
export interface VariantHost {
  /** The visitor wants another variant. */
  choose(variant: Variant): void;
  /** The photo to compare by. */
  photo(): Blob | null;
  /** The backend in use. */
  backend(): BackendName | null;
  /** What a comparison's workers have asked for. */
  readonly transfers: (list: readonly Transfer[]) => void;
  failed(sentence: string): void;
}

/** The choice with its line, and the button that compares all. */
export class VariantPanel {
  readonly #variants: readonly Variant[];
  readonly #host: VariantHost;
  readonly #line = element('#variant', HTMLElement);
  readonly #button = element('#compare', HTMLButtonElement);
  #comparison: ComparisonPanel | undefined;
  #isComparing = false;
  #isTagged = false;

  constructor(variants: readonly Variant[], active: Variant, host: VariantHost) {
    this.#variants = variants;
    this.#host = host;
    const select = element('#variant-choice', HTMLSelectElement);
    for (const [place, { name, weightBytes }] of variants.entries()) {
      const option = select.options.item(place);
      if (option) {
        option.text = say('variantOption', { name, bytes: byteSize(weightBytes) });
      }
    }
    select.value = active.name;
    select.disabled = false;
    select.addEventListener('change', () => {
      const chosen = variants.find(({ name }) => name === select.value);
      if (chosen) {
        this.#choose(chosen);
      }
    });
    this.#button.addEventListener('click', () => void this.#compare());
    this.#describe(active);
  }

  /** Lets variants be compared while there is a photo with its tags. */
  show(state: PageState): void {
    if (state === 'loading') {
      // What runs beside a model that loads is not measured fairly.
      this.#comparison?.cancel();
    }
    this.#isTagged = state === 'tagged';
    this.#enable();
  }

  /** Says of a comparison that the photo is another now. */
  outdate(): void {
    this.#comparison?.outdate();
  }

  #choose(variant: Variant): void {
    history.replaceState(history.state, '', variantAddress(this.#variants, variant, location.href));
    this.#describe(variant);
    this.#host.choose(variant);
  }

  #describe({ name, weightBytes, drop }: Variant): void {
    this.#line.textContent = say('variantLine', {
      bytes: byteSize(weightBytes),
      accuracy: dropSentence(drop),
    });
    // A template of one's own may do without.
    const facts = document.querySelector('#model-weights');
    if (facts) {
      facts.textContent = name;
    }
  }

  async #compare(): Promise<void> {
    const photo = this.#host.photo();
    const backend = this.#host.backend();
    if (!photo || !backend) {
      return;
    }
    this.#isComparing = true;
    this.#enable();
    try {
      const { ComparisonPanel } = await import('./comparison-panel');
      this.#comparison = new ComparisonPanel(this.#variants, this.#host.transfers);
      await this.#comparison.run(photo, backend);
    } catch (error) {
      console.info('The variants were not compared.', error);
      this.#host.failed(say('compareFailed'));
    }
    this.#isComparing = false;
    this.#enable();
  }

  #enable(): void {
    this.#button.disabled = this.#isComparing || !this.#isTagged;
  }
}
