/** Shows every file that was loaded, on the time axis of the waterfall. */

import { element } from './elements';
import { say } from './language';
import { fillBytes } from './part-table';
import type { LoadedFile } from './transfers';
import { drawFiles } from './waterfall';

/** The build's hashes, and those of Vite. */
const HASH = /\.[0-9a-f]{16}(?=\.)|-[\w-]{8}(?=\.\w+$)/;

/** Fills the table that the template lays out, from a row that it has as `<template>`. */
export function showFiles(
  place: HTMLElement,
  files: readonly LoadedFile[],
  lengthMs: number,
): void {
  const { content } = element('template', HTMLTemplateElement, place);
  const rows = files.map((file) => {
    const row = element('tr', HTMLTableRowElement, content).cloneNode(true) as HTMLTableRowElement;
    row.dataset['url'] = file.url;
    const name = element('th', HTMLElement, row);
    name.textContent = nameOf(file.url);
    name.title = file.url;
    fillBytes(row, [file]);
    if (file.wireBytes === 0 && file.requests[0]?.isKept) {
      element('[data-source]', HTMLElement, row).textContent = say('sourceServiceWorker');
    }
    drawFiles(row, [file], lengthMs);
    return row;
  });
  element('tbody', HTMLTableSectionElement, place).replaceChildren(...rows);
}

/** Returns a file's name without its content's hash; the document mostly has no name. */
function nameOf(url: string): string {
  const name = new URL(url).pathname.split('/').at(-1) ?? '';
  return name.replace(HASH, '') || say('fileDocument');
}
