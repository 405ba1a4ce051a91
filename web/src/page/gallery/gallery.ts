/** Tags many photos, one after another, and shows them as a grid. */

import { element } from '../elements';
import { say } from '../language';
import type { PhotoPlace } from '../photo-place';
import { discard } from '../requests';
import { saveFile } from '../save-file';
import { refusalSentence } from '../sentences';
import { GalleryCell, THUMBNAIL_SIDE } from './gallery-cell';
import { csvOf, jsonOf, type ModelRecord } from './gallery-export';

/** The section with the grid; the files wait here, and one at a time is decoded. */
export class Gallery {
  readonly #place: PhotoPlace;
  readonly #section = element('#gallery', HTMLElement);
  readonly #grid = element('#gallery-cells', HTMLUListElement);
  readonly #bar = element('#gallery-bar', HTMLProgressElement);
  readonly #count = element('#gallery-count', HTMLElement);
  readonly #done = element('#gallery-done', HTMLElement);
  readonly #pause = element('#gallery-pause', HTMLButtonElement);
  #cells: readonly GalleryCell[] = [];
  /** The first of those that have not had their turn. */
  #next = 0;
  /** Ends what runs; none runs without it. */
  #run: AbortController | undefined;

  constructor(place: PhotoPlace) {
    this.#place = place;
    this.#pause.addEventListener('click', () => (this.#run ? this.#stop() : void this.#tagAll()));
    element('#gallery-csv', HTMLButtonElement).addEventListener('click', () =>
      saveFile('tags.csv', fileOf('text/csv;charset=utf-8', csvOf(this.#model, this.#records))),
    );
    element('#gallery-json', HTMLButtonElement).addEventListener('click', () =>
      saveFile('tags.json', fileOf('application/json', jsonOf(this.#model, this.#records))),
    );
    element('#gallery-clear', HTMLButtonElement).addEventListener('click', () => this.#clear());
  }

  /** Adds photos behind those that are there. */
  add(files: readonly File[]): void {
    const added = files.map((file) => new GalleryCell(file, () => this.#open(file)));
    this.#cells = [...this.#cells, ...added];
    this.#grid.append(...added.map(({ item }) => item));
    this.#section.hidden = false;
    this.#section.scrollIntoView({ block: 'nearest' });
    this.#place.session.recover();
    if (!this.#run) {
      void this.#tagAll();
    }
    this.#showCount();
  }

  get #model(): ModelRecord {
    const { modelName = '', modelSha256 = '' } = this.#section.dataset;
    return { name: modelName, sha256: modelSha256 };
  }

  get #records() {
    return this.#cells.map(({ record }) => record);
  }

  #open(file: File): void {
    this.#place.tag(file, file.name);
    element('#photo', HTMLElement).scrollIntoView({ block: 'nearest' });
  }

  async #tagAll(): Promise<void> {
    const run = new AbortController();
    this.#run = run;
    this.#done.textContent = '';
    this.#pause.textContent = say('galleryPause');
    for (;;) {
      this.#showCount();
      const cell = this.#cells[this.#next];
      if (!cell) {
        break;
      }
      await this.#tag(cell, run.signal);
      if (run.signal.aborted) {
        return;
      }
      this.#next++;
    }
    this.#run = undefined;
    const failed = this.#records.filter(({ error }) => error !== null).length;
    const count = this.#cells.length;
    this.#done.textContent =
      failed === 0 ? say('galleryDone', { count }) : say('galleryDoneBut', { count, failed });
    this.#showCount();
  }

  async #tag(cell: GalleryCell, signal: AbortSignal): Promise<void> {
    const { file } = cell;
    for (;;) {
      const answer = await this.#place.session.ask(
        { kind: 'file', file, thumbnailSide: THUMBNAIL_SIDE },
        signal,
      );
      if (signal.aborted) {
        discard(answer);
        return;
      }
      switch (answer.kind) {
        case 'tagged':
          cell.showTags(answer.tagging.tags);
          if (answer.thumbnail) {
            cell.showThumbnail(answer.thumbnail);
          }
          return;
        case 'refused':
          cell.showError(await refusalSentence(file, answer.refusal));
          return;
        case 'failed':
          cell.showError(say('galleryFailed'));
          return;
        case 'lost':
        // A photo on show came between; this one is asked for again.
      }
    }
  }

  #stop(): void {
    this.#run?.abort();
    this.#run = undefined;
    this.#pause.textContent = say('galleryGoOn');
    this.#showCount();
  }

  #clear(): void {
    this.#stop();
    this.#cells = [];
    this.#next = 0;
    this.#grid.replaceChildren();
    this.#done.textContent = '';
    this.#section.hidden = true;
    element('#file', HTMLInputElement).focus();
  }

  #showCount(): void {
    const total = this.#cells.length;
    this.#bar.max = Math.max(1, total);
    this.#bar.value = this.#next;
    this.#count.textContent = say('galleryCount', { done: this.#next, total });
    this.#pause.hidden = this.#next >= total;
    this.#section.dataset['gallery'] = this.#run ? 'tagging' : 'still';
  }
}

function fileOf(type: string, text: string): Blob {
  return new Blob([text], { type });
}
