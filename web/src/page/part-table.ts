/** Shows what each part of the page cost on the wire. */

import { element } from './elements';
import { byteSize } from './number-format';
import { say } from './language';
import { type LoadedFile, PARTS, type TransferCount } from './transfers';

/**
 * Fills the rows that the template lays out, so that nothing moves when numbers come.
 *
 * The preview's row exists only if there is a preview.
 */
export class PartTable {
  readonly #rows;

  constructor(table: HTMLTableElement) {
    const parts = ([...PARTS, 'total'] as const).filter(
      (part) => part !== 'preview' || table.querySelector('[data-part="preview"]'),
    );
    this.#rows = parts.map((part) => ({
      part,
      row: element(`[data-part="${part}"]`, HTMLTableRowElement, table),
    }));
  }

  /** Shows the sums so far. */
  show(count: TransferCount): void {
    for (const { part, row } of this.#rows) {
      const { wireBytes, decodedBytes } = count.bytes(part);
      row.dataset['wireBytes'] = String(wireBytes);
      row.dataset['decodedBytes'] = String(decodedBytes);
      if (decodedBytes > 0) {
        fillBytes(row, count.files(part));
      }
    }
  }
}

/** Fills a row's cells of bytes, and where they came from. */
export function fillBytes(row: HTMLElement, files: readonly LoadedFile[]): void {
  const sum = (bytes: 'wireBytes' | 'decodedBytes'): string =>
    byteSize(files.reduce((total, file) => total + file[bytes], 0));
  element('[data-wire]', HTMLElement, row).textContent = sum('wireBytes');
  element('[data-decoded]', HTMLElement, row).textContent = sum('decodedBytes');
  const travelled = files.filter(({ wireBytes }) => wireBytes > 0).length;
  element('[data-source]', HTMLElement, row).textContent = say(
    travelled === 0 ? 'sourceCache' : travelled === files.length ? 'sourceNetwork' : 'sourceBoth',
  );
}
