/** Shows the tags of a photo. */

import type { Tag, Tagging } from '../messages';
import { duration, percent } from './format';
import { say } from './language';
import type { Role } from './site-files';

/** The list of tags with the line below it. */
export class TagList {
  readonly #list: HTMLOListElement;
  readonly #timing: HTMLElement;

  constructor(list: HTMLOListElement, timing: HTMLElement) {
    this.#list = list;
    this.#timing = timing;
  }

  /** Shows the tags and what they took; the facts in full precision lie in the markup. */
  show(tagging: Tagging, role: Role): void {
    this.#list.replaceChildren(...tagging.tags.map(tagRow));
    const { dataset } = this.#list;
    dataset['model'] = role;
    dataset['inferenceMs'] = String(tagging.inferenceMs);
    dataset['preprocessMs'] = String(tagging.preprocessMs);
    dataset['tensors'] = String(tagging.tensors);
    this.#timing.textContent = say('taggedIn', {
      inference: duration(tagging.inferenceMs),
      preprocessing: duration(tagging.preprocessMs),
    });
  }

  /** Shows no tags, for they would be those of another photo. */
  clear(): void {
    this.#list.replaceChildren();
    for (const fact of ['model', 'inferenceMs', 'preprocessMs', 'tensors']) {
      delete this.#list.dataset[fact];
    }
    this.#timing.textContent = '';
  }
}

/** Makes the list item of one tag. */
export function tagRow({ classIndex, label, score }: Tag): HTMLLIElement {
  const item = document.createElement('li');
  item.dataset['classIndex'] = String(classIndex);
  item.dataset['label'] = label;
  item.dataset['score'] = String(score);

  const name = part('tag-name', label);
  const share = part('tag-share', percent(score));
  const bar = part('tag-bar', '');
  bar.style.setProperty('--score', String(Math.min(1, Math.max(0, score))));
  // The parts would be read one by one; this is read as one.
  const spoken = part('spoken', say('tagSpoken', { label, share: percent(score) }));
  for (const seen of [name, share, bar]) {
    seen.setAttribute('aria-hidden', 'true');
  }
  item.append(spoken, name, share, bar);
  return item;
}

function part(className: string, text: string): HTMLSpanElement {
  const span = document.createElement('span');
  span.className = className;
  span.textContent = text;
  return span;
}
