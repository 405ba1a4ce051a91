/** Lets the visitor choose the backend. */

import type { BackendName } from '../messages';

/** The value of the option that leaves the choice to the page; the others are backends' names. */
const AUTOMATIC = 'auto';

/** A `<select>` with an option for each backend. */
export class BackendSwitch {
  readonly #select: HTMLSelectElement;

  /**
   * @param offered - The others cannot be chosen.
   * @param choose - Called with what the visitor chose; null leaves it to the page.
   */
  constructor(
    select: HTMLSelectElement,
    offered: ReadonlySet<string>,
    choose: (backend: BackendName | null) => void,
  ) {
    this.#select = select;
    for (const option of select.options) {
      option.disabled = option.value !== AUTOMATIC && !offered.has(option.value);
    }
    select.disabled = false;
    select.addEventListener('change', () => {
      choose(select.value === AUTOMATIC ? null : (select.value as BackendName));
    });
  }

  /** Shows what is chosen. */
  show(backend: BackendName | null): void {
    this.#select.value = backend ?? AUTOMATIC;
  }
}
