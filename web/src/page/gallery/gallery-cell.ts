/** One photo of a gallery. */

import type { Tag } from '../../messages';
import { percent } from '../number-format';
import { say } from '../language';
import { shownName } from '../tag-list';
import type { PhotoRecord } from './gallery-export';

/** The longer side of the small pictures, in pixels: twice their room, for fine displays. */
export const THUMBNAIL_SIDE = 320;

/** How many tags a cell has room for. */
const SHOWN_TAGS = 3;

/** A list item with a button that shows the photo large, and its tags. */
export class GalleryCell {
  readonly file: File;
  readonly item = document.createElement('li');
  readonly #canvas = document.createElement('canvas');
  readonly #result = document.createElement('ul');
  #record: PhotoRecord;

  /** @param open - Called when the photo is wanted large. */
  constructor(file: File, open: () => void) {
    this.file = file;
    this.#record = { file: file.name, tags: [], nearest: null, error: say('galleryUntagged') };
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'cell-photo';
    button.setAttribute('aria-label', say('galleryOpen', { name: file.name }));
    button.append(this.#canvas);
    button.addEventListener('click', open);
    const name = document.createElement('p');
    name.className = 'cell-name';
    name.textContent = file.name;
    name.title = file.name;
    this.#result.className = 'cell-tags';
    this.item.className = 'cell';
    this.item.append(button, name, this.#result);
  }

  /** What is known of the photo. */
  get record(): PhotoRecord {
    return this.#record;
  }

  /** Shows the tags. */
  showTags(tags: readonly Tag[]): void {
    this.#record = {
      file: this.file.name,
      tags: tags.filter(({ isNearest }) => !isNearest),
      nearest: tags.find(({ isNearest }) => isNearest) ?? null,
      error: null,
    };
    this.item.dataset['cell'] = 'tagged';
    this.#result.replaceChildren(
      ...tags.slice(0, SHOWN_TAGS).map((tag) => {
        const row = document.createElement('li');
        const name = document.createElement('span');
        name.textContent = shownName(tag);
        const { label, isNearest = false } = tag;
        const share = percent(tag.score);
        row.classList.toggle('nearest', isNearest);
        row.append(name, ` ${isNearest ? say('tagNearest', { label, share }) : share}`);
        return row;
      }),
    );
  }

  /** Says why there are none. */
  showError(sentence: string): void {
    this.#record = { file: this.file.name, tags: [], nearest: null, error: sentence };
    this.item.dataset['cell'] = 'failed';
    const row = document.createElement('li');
    row.textContent = sentence;
    this.#result.replaceChildren(row);
  }

  /** Shows a small picture of it, and uses that up. */
  showThumbnail(thumbnail: ImageBitmap): void {
    this.#canvas.width = thumbnail.width;
    this.#canvas.height = thumbnail.height;
    this.#canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(thumbnail);
    this.item.dataset['thumbnail'] = 'shown';
  }
}
