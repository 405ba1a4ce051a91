/** The line that says what the page is doing, with the progress of the download. */

import { megabytes } from './number-format';
import { say, type TextName } from './language';
import type { PageState } from './page-state';
import type { PhotoFoot } from './photo-foot';

/** The text of each state that does not say more elsewhere. */
const TEXTS: Readonly<Record<PageState, TextName | null>> = {
  loading: 'loadingModel',
  ready: 'ready',
  tagging: 'tagging',
  previewing: 'previewing',
  tagged: null,
  live: null,
  failed: null,
};

/** The text of states in which a model comes, once it has come. */
const TEXTS_AFTER_DOWNLOAD: Readonly<Partial<Record<PageState, TextName>>> = {
  loading: 'preparing',
  previewing: 'previewingReady',
};

/** What the line is made of. */
export interface StatusElements {
  /** Read aloud whenever it changes. */
  readonly text: HTMLElement;
  /** Changes with every piece, so screen readers do not announce it. */
  readonly amount: HTMLElement;
  readonly bar: HTMLProgressElement;
  /** Says the same over the photo. */
  readonly foot: PhotoFoot;
}

/** Keeps its place on the page when it has nothing to say. */
export class StatusLine {
  readonly #elements: StatusElements;
  #state: PageState = 'loading';
  #isInterrupted = false;
  #download: { readonly receivedBytes: number; readonly totalBytes: number } | undefined;

  constructor(elements: StatusElements) {
    this.#elements = elements;
  }

  /** Says what the state is. */
  show(state: PageState): void {
    this.#state = state;
    if (state === 'loading') {
      this.#download = undefined;
      this.#isInterrupted = false;
      // A bar without a value is indeterminate.
      this.#elements.bar.removeAttribute('value');
    }
    this.#write();
  }

  /** Says how much of the model has come. */
  progress(receivedBytes: number, totalBytes: number): void {
    const { bar } = this.#elements;
    bar.max = Math.max(1, totalBytes);
    bar.value = receivedBytes;
    this.#download = { receivedBytes, totalBytes };
    this.#write();
  }

  /** Says that the connection is lost, while files are still missing. */
  interrupted(isInterrupted: boolean): void {
    this.#isInterrupted = isInterrupted;
    this.#write();
  }

  /** Says that the tags are the full model's now. */
  upgraded(): void {
    this.#elements.text.textContent = say('upgraded');
  }

  #write(): void {
    const { text, amount, foot } = this.#elements;
    const after = TEXTS_AFTER_DOWNLOAD[this.#state];
    const download = after === undefined ? undefined : this.#download;
    const isComing = download && download.receivedBytes < download.totalBytes;
    const name = download && !isComing && after ? after : TEXTS[this.#state];
    const isLost = this.#isInterrupted && after !== undefined;
    const sentence = isLost ? say('interrupted') : name ? say(name) : '';
    write(text, sentence);
    const part = isComing
      ? say('downloaded', {
          received: megabytes(download.receivedBytes),
          total: megabytes(download.totalBytes),
        })
      : '';
    write(amount, part);
    if (this.#state !== 'previewing') {
      foot.status(`${sentence} ${part}`.trim());
    }
  }
}

/** Writes what has changed: of the same text once more the browser would make a layout. */
function write(place: HTMLElement, text: string): void {
  if (place.textContent !== text) {
    place.textContent = text;
  }
}
