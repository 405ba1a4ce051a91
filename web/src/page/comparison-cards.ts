/** Shows compared variants side by side, each on a card. */

import type { Progress } from './variant-comparison';
import { byteSize, duration } from './number-format';
import { say, type TextName } from './language';
import { dropSentence } from './sentences';
import type { Variant } from './site-files';
import { tagRow } from './tag-list';
import { RUNS } from './variant-trial';

/** What a card says of a variant that has no tags. */
const STATES: Readonly<Record<Progress['kind'], TextName | null>> = {
  waiting: 'comparedWaiting',
  running: 'comparedRunning',
  done: null,
  failed: 'comparedFailed',
  cancelled: 'comparedCancelled',
};

/** One variant's card, with room for all that will stand on it. */
export class ComparisonCard {
  /** The card itself. */
  readonly root = document.createElement('li');
  readonly #first: Variant;
  readonly #variant: Variant;
  readonly #verdict = made('p', 'compared-verdict');
  readonly #loading = made('dd');
  readonly #inference = made('dd');
  readonly #tags = made('ol', 'tags');

  /** @param first - The variant that the others are held against. */
  constructor(variant: Variant, first: Variant) {
    this.#variant = variant;
    this.#first = first;
    this.root.dataset['variant'] = variant.name;
    this.root.dataset['weightBytes'] = String(variant.weightBytes);
    const facts = made('dl');
    facts.append(
      fact('comparedWeights', made('dd', '', byteSize(variant.weightBytes))),
      fact('comparedLoading', this.#loading),
      fact('comparedInference', this.#inference),
      fact('comparedAccuracy', made('dd', '', dropSentence(variant.drop))),
    );
    const place = made('div', 'tags-place');
    place.append(this.#tags);
    this.root.append(made('h3', '', variant.name), this.#verdict, facts, place);
  }

  /** Shows where the variant stands. */
  show(progress: Progress): void {
    const { dataset } = this.root;
    dataset['state'] = progress.kind;
    const state = STATES[progress.kind];
    this.#verdict.textContent = state ? say(state) : '';
    this.#loading.textContent = '–';
    this.#inference.textContent = '–';
    if (progress.kind !== 'done') {
      return;
    }
    const { loadMs, wireBytes, inferenceMs, tags } = progress.trial;
    dataset['loadMs'] = String(loadMs);
    dataset['wireBytes'] = String(wireBytes);
    dataset['inferenceMs'] = String(inferenceMs);
    const time = duration(loadMs);
    this.#loading.textContent =
      wireBytes > 0
        ? say('comparedLoadedFromNetwork', { time, bytes: byteSize(wireBytes) })
        : say('comparedLoadedFromCache', { time });
    this.#inference.textContent = say('comparedInferenceTime', {
      time: duration(inferenceMs),
      runs: RUNS,
    });
    this.#tags.replaceChildren(...tags.map(tagRow));
    this.#showAgreement(progress.agrees);
  }

  #showAgreement(agrees: boolean | null): void {
    const first = this.#first.name;
    if (this.#variant === this.#first) {
      this.#verdict.textContent = say('comparedFirst');
    } else if (agrees !== null) {
      this.root.dataset['agrees'] = String(agrees);
      this.#verdict.textContent = say(agrees ? 'comparedAgrees' : 'comparedDiffers', { first });
    }
  }
}

function fact(name: TextName, value: HTMLElement): HTMLElement {
  const row = made('div');
  row.append(made('dt', '', say(name)), value);
  return row;
}

function made(tag: string, className = '', text = ''): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
