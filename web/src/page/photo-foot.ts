/**
 * The first tag and the progress at the foot of the photo.
 *
 * In a narrow window the tags lie below the photo, out of sight. This line repeats the first one;
 * the style sheet shows it only there. Screen readers have the tags themselves.
 */

import type { Tag } from '../messages';
import { percent } from './number-format';
import { shownName } from './tag-list';

/** Shows one line over the photo. */
export class PhotoFoot {
  readonly #line: HTMLElement | null;

  /** @param line - None where a template of one's own has no such line. */
  constructor(line: HTMLElement | null) {
    this.#line = line;
  }

  /** Shows a photo's first tag; nothing if it has none. */
  tag(first: Tag | undefined): void {
    const name = first ? shownName(first) : '';
    // The score of a photo of none of the labels is that of another tag than is named.
    this.#write(first && !first.isNearest ? `${name} ${percent(first.score)}` : name, 'tag');
  }

  /** Shows what the page is doing. */
  status(sentence: string): void {
    if (sentence) {
      this.#write(sentence, 'status');
    }
  }

  #write(text: string, kind: 'tag' | 'status'): void {
    const line = this.#line;
    if (line) {
      line.textContent = text;
      line.dataset['kind'] = kind;
      line.hidden = text === '';
    }
  }
}
