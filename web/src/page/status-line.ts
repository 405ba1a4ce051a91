/** The line that says what the page is doing, with the progress of the download. */

import type { PageState } from './page-state';
import { downloadProgress, STRINGS } from './strings';

/** The text of each state that does not say more elsewhere. */
const TEXTS: Readonly<Record<PageState, string>> = {
  loading: STRINGS.loadingModel,
  ready: STRINGS.ready,
  tagging: STRINGS.tagging,
  tagged: '',
  failed: '',
};

/** What the line is made of. */
export interface StatusElements {
  /** Read aloud whenever it changes. */
  readonly text: HTMLElement;
  /** Changes with every piece that comes in, and is therefore not read aloud. */
  readonly amount: HTMLElement;
  readonly bar: HTMLProgressElement;
}

/** Keeps its place on the page when it has nothing to say. */
export class StatusLine {
  readonly #elements: StatusElements;

  constructor(elements: StatusElements) {
    this.#elements = elements;
  }

  /** Says what the state is. */
  show(state: PageState): void {
    const { text, amount, bar } = this.#elements;
    text.textContent = TEXTS[state];
    amount.textContent = '';
    if (state === 'loading') {
      // Without a value the bar says that it is not known yet how much there is.
      bar.removeAttribute('value');
    }
  }

  /** Says how much of the model has come. */
  progress(receivedBytes: number, totalBytes: number): void {
    const { text, amount, bar } = this.#elements;
    bar.max = Math.max(1, totalBytes);
    bar.value = receivedBytes;
    if (receivedBytes < totalBytes) {
      amount.textContent = downloadProgress(receivedBytes, totalBytes);
    } else {
      text.textContent = STRINGS.preparing;
      amount.textContent = '';
    }
  }
}
