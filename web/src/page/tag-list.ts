/** Shows the tags of a photo. */

import type { Tag, Tagging } from '../messages';
import { duration, percent } from './number-format';
import { say } from './language';
import type { PhotoFoot } from './photo-foot';
import type { Role } from './site-files';

/** Below this score a tag is not shown, unless it is the first: it tells nothing. */
const LEAST_SHOWN = 0.01;
/**
 * Below this score of the first tag, the page says that it is not sure. Chosen, not measured.
 */
const LEAST_SURE = 0.25;

/** Where the tags are shown. */
export interface TagElements {
  readonly list: HTMLOListElement;
  readonly timing: HTMLElement;
  /** Says that no tag is likely; none where a template of one's own has no such line. */
  readonly unsure: HTMLElement | null;
  readonly foot: PhotoFoot;
}

/** The list of tags with the line below it. */
export class TagList {
  readonly #list: HTMLOListElement;
  readonly #timing: HTMLElement;
  readonly #unsure: HTMLElement | null;
  readonly #foot: PhotoFoot;

  constructor({ list, timing, unsure, foot }: TagElements) {
    this.#list = list;
    this.#timing = timing;
    this.#unsure = unsure;
    this.#foot = foot;
  }

  /** Shows the tags and what they took; the facts in full precision lie in the markup. */
  show(tagging: Tagging, role: Role): void {
    this.#list.replaceChildren(...tagging.tags.map(tagRow));
    this.#note(tagging, role);
    this.#timing.textContent = say('taggedIn', {
      inference: duration(tagging.inferenceMs),
      preprocessing: duration(tagging.preprocessMs),
    });
  }

  /**
   * Shows other tags in the same rows, so that nothing flickers while a camera runs.
   *
   * @param timing - What to say of the time; null to leave what is said.
   */
  update(tagging: Tagging, timing: string | null): void {
    while (this.#list.children.length > tagging.tags.length) {
      this.#list.lastElementChild?.remove();
    }
    tagging.tags.forEach((tag, rank) => {
      const item = this.#list.children[rank];
      if (item instanceof HTMLLIElement) {
        fill(item, tag);
      } else {
        this.#list.append(tagRow(tag));
      }
    });
    this.#note(tagging, 'full');
    if (timing !== null) {
      this.#timing.textContent = timing;
    }
  }

  #note(tagging: Tagging, role: Role): void {
    const { dataset, children } = this.#list;
    tagging.tags.forEach(({ score }, rank) => {
      children[rank]?.classList.toggle('slight', rank > 0 && score < LEAST_SHOWN);
    });
    const [first] = tagging.tags;
    this.#foot.tag(first);
    if (this.#unsure) {
      this.#unsure.hidden = !first || first.isNearest === true || first.score >= LEAST_SURE;
    }
    dataset['model'] = role;
    dataset['inferenceMs'] = String(tagging.inferenceMs);
    dataset['preprocessMs'] = String(tagging.preprocessMs);
    dataset['tensors'] = String(tagging.tensors);
    if (tagging.cosine !== null) {
      dataset['cosine'] = String(tagging.cosine);
    }
  }

  /** Removes the tags, which belong to an earlier photo. */
  clear(): void {
    this.#list.replaceChildren();
    for (const fact of ['model', 'inferenceMs', 'preprocessMs', 'tensors', 'cosine']) {
      delete this.#list.dataset[fact];
    }
    this.#timing.textContent = '';
    this.#foot.tag(undefined);
    if (this.#unsure) {
      this.#unsure.hidden = true;
    }
  }
}

/** Makes the list item of one tag. */
export function tagRow(tag: Tag): HTMLLIElement {
  return fill(row(), tag);
}

/** Returns what the page calls a photo with this tag. */
export function shownName({ label, isNearest }: Tag): string {
  return isNearest ? say('tagNone') : label;
}

const ROW_PARTS = ['spoken', 'tag-name', 'tag-share', 'tag-bar'] as const;

function row(): HTMLLIElement {
  const item = document.createElement('li');
  for (const part of ROW_PARTS) {
    const span = document.createElement('span');
    span.className = part;
    // The parts would be read one by one; the first is read as one.
    if (part !== 'spoken') {
      span.setAttribute('aria-hidden', 'true');
    }
    item.append(span);
  }
  return item;
}

function fill(item: HTMLLIElement, tag: Tag): HTMLLIElement {
  const { classIndex, label, score, isNearest = false } = tag;
  item.dataset['classIndex'] = String(classIndex);
  item.dataset['label'] = label;
  item.dataset['score'] = String(score);
  const [spoken, name, share, bar] = item.children as HTMLCollectionOf<HTMLElement>;
  item.classList.toggle('nearest', isNearest);
  const shares = { label, share: percent(score) };
  write(spoken, say(isNearest ? 'tagBelow' : 'tagSpoken', shares));
  write(name, shownName(tag));
  write(share, isNearest ? say('tagNearest', shares) : shares.share);
  bar?.style.setProperty('--score', String(Math.min(1, Math.max(0, score))));
  return item;
}

function write(part: HTMLElement | undefined, text: string): void {
  if (part && part.textContent !== text) {
    part.textContent = text;
  }
}
