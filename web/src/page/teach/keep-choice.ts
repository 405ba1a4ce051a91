/** Whether the visitor wants the photos kept, remembered for each model. */

/** The choice, in `localStorage`. */
export class KeepChoice {
  readonly #key: string;

  constructor(modelSha256: string) {
    this.#key = `toolchain teach photos ${modelSha256}`;
  }

  /** Says whether photos are kept; they are not if the browser stores nothing. */
  read(): boolean {
    try {
      return localStorage.getItem(this.#key) === 'yes';
    } catch {
      return false;
    }
  }

  /** @throws DOMException if the browser refuses to store it. */
  write(keeps: boolean): void {
    localStorage.setItem(this.#key, keeps ? 'yes' : 'no');
  }
}
