/** A part of the page whose content, and its code, is loaded when it is opened. */

import { element } from './elements';
import { say } from './language';

/** Makes what it holds. */
type Fill = (place: HTMLElement) => Promise<void>;

/** Fills a `<details>` whenever it is opened. */
export class Disclosure {
  readonly #details: HTMLDetailsElement;
  readonly #fill: Fill;
  #isFilled = false;

  constructor(details: HTMLDetailsElement, fill: Fill) {
    this.#details = details;
    this.#fill = fill;
    details.addEventListener('toggle', () => void this.#show());
  }

  /** Fills it again if it is open; what could not be loaded is tried when it is next opened. */
  refresh(): void {
    if (this.#isFilled) {
      void this.#show();
    }
  }

  async #show(): Promise<void> {
    if (!this.#details.open) {
      return;
    }
    const note = element('[data-note]', HTMLElement, this.#details);
    try {
      await this.#fill(element('[data-place]', HTMLElement, this.#details));
      this.#isFilled = true;
      note.textContent = '';
    } catch (error) {
      // Its code may be out of reach on a visit without network.
      console.info('This part of the page could not be loaded.', error);
      note.textContent = say('notLoaded');
    }
  }
}
