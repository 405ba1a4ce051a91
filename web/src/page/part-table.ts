/** Shows what each part of the page cost on the wire. */

import { element } from './elements';
import { byteSize } from './format';
import { say } from './language';
import { PARTS, type TransferCount } from './transfers';

/**
 * Fills the rows that the template lays out, so that nothing moves when numbers come.
 *
 * The preview's is only there where there is one.
 */
export class PartTable {
  readonly #rows;

  constructor(table: HTMLTableElement) {
    const parts = ([...PARTS, 'total'] as const).filter(
      (part) => part !== 'preview' || table.querySelector('[data-part="preview"]'),
    );
    this.#rows = parts.map((part) => {
      const row = element(`[data-part="${part}"]`, HTMLTableRowElement, table);
      return {
        part,
        row,
        wire: element('[data-wire]', HTMLElement, row),
        decoded: element('[data-decoded]', HTMLElement, row),
      };
    });
  }

  /** Shows the sums so far. */
  show(count: TransferCount): void {
    for (const { part, row, wire, decoded } of this.#rows) {
      const { wireBytes, decodedBytes } = count.bytes(part);
      row.dataset['wireBytes'] = String(wireBytes);
      row.dataset['decodedBytes'] = String(decodedBytes);
      if (decodedBytes > 0) {
        wire.textContent = wireBytes > 0 ? byteSize(wireBytes) : say('fromCache');
        decoded.textContent = byteSize(decodedBytes);
      }
    }
  }
}
