/** Says what went wrong. */

/** The alert, with a button where trying again may help. */
export class AlertBox {
  readonly #box: HTMLElement;
  readonly #text: HTMLElement;
  readonly #retry: HTMLButtonElement;

  constructor(box: HTMLElement, text: HTMLElement, retry: HTMLButtonElement, again: () => void) {
    this.#box = box;
    this.#text = text;
    this.#retry = retry;
    retry.addEventListener('click', again);
  }

  /** Shows a sentence. */
  show(sentence: string, withRetry: boolean): void {
    this.#box.hidden = false;
    this.#retry.hidden = !withRetry;
    this.#text.textContent = sentence;
  }

  /** Takes the sentence away. */
  clear(): void {
    this.#box.hidden = true;
    this.#text.textContent = '';
  }
}
