/** One of the visitor's tags: its name, its photos, and the ways to give it more. */

import { HeldCamera } from './held-camera';
import type { OwnTag, TaughtPhoto } from './lessons';
import { button, fileButton, made } from './make';
import { tell } from './words';

/** What a card asks for. */
export interface CardEvents {
  files(tag: number, files: readonly File[]): void;
  frame(tag: number, frame: ImageBitmap): Promise<void>;
  takeOut(photo: number): void;
  rename(tag: OwnTag, name: string): void;
  remove(tag: OwnTag): void;
  alert(sentence: string): void;
}

/** A list item. */
export class LessonCard {
  readonly item = made('li', 'lesson');
  readonly #events: CardEvents;
  readonly #name = made('input', 'lesson-name');
  readonly #count = made('p', 'hint');
  readonly #photos = made('ul', 'lesson-photos');
  readonly #merge = made('details', 'lesson-merge');
  readonly #others = made('select', 'lesson-others');
  readonly #camera: HeldCamera;
  readonly #shown = new Map<number, { readonly item: HTMLLIElement; readonly address: string }>();
  #tag: OwnTag;

  constructor(tag: OwnTag, events: CardEvents) {
    this.#tag = tag;
    this.#events = events;
    this.#camera = new HeldCamera(
      (frame) => events.frame(this.#tag.id, frame),
      (sentence) => events.alert(sentence),
    );
    this.#name.addEventListener('change', () => {
      const name = this.#name.value.trim();
      if (name && name !== this.#tag.name) {
        events.rename(this.#tag, name);
      }
      this.#name.value = this.#tag.name;
    });
    const remove = button(tell('removeTag'), () => events.remove(this.#tag));
    const files = fileButton(tell('addPhotos'), 'image/*', true, (given) =>
      events.files(this.#tag.id, given),
    );
    const controls = made('div', 'give');
    controls.append(files, this.#camera.button, this.#camera.countdown, remove);
    const merge = made('div', 'give');
    merge.append(
      this.#others,
      button(tell('merge'), () => events.rename(this.#tag, this.#others.value)),
    );
    this.#merge.append(made('summary', '', tell('mergeInto')), merge);
    this.item.append(
      this.#name,
      this.#count,
      controls,
      this.#camera.video,
      this.#photos,
      this.#merge,
    );
    this.#listenForDrops();
  }

  /**
   * Shows the tag with its photos.
   *
   * @param others - The names of the other tags, which it can be merged into.
   */
  show(tag: OwnTag, photos: readonly TaughtPhoto[], others: readonly string[]): void {
    this.#tag = tag;
    this.#name.value = tag.name;
    this.#name.setAttribute('aria-label', tell('nameOf', { tag: tag.name }));
    this.item.setAttribute('aria-label', tag.name);
    this.item.dataset['tag'] = tag.name;
    this.item.dataset['photos'] = String(photos.length);
    this.#count.textContent = tell('photoCount', { count: photos.length });
    this.#merge.hidden = others.length === 0;
    this.#others.setAttribute('aria-label', tell('mergeOf', { tag: tag.name }));
    this.#others.replaceChildren(...others.map((name) => new Option(name, name)));
    const ids = new Set(photos.map(({ id }) => id));
    for (const [id, { item, address }] of this.#shown) {
      if (!ids.has(id)) {
        URL.revokeObjectURL(address);
        item.remove();
        this.#shown.delete(id);
      }
    }
    for (const photo of photos) {
      if (!this.#shown.has(photo.id)) {
        this.#photos.append(this.#row(photo));
      }
    }
  }

  /** Frees what it holds. */
  end(): void {
    this.#camera.stop();
    this.show(this.#tag, [], []);
    this.item.remove();
  }

  #row(photo: TaughtPhoto): HTMLLIElement {
    const item = made('li', 'lesson-photo');
    const address = photo.thumbnail ? URL.createObjectURL(photo.thumbnail) : '';
    const press = button('', () => this.#events.takeOut(photo.id), '');
    const name = tell('takeOut', { photo: photo.name, tag: this.#tag.name });
    press.setAttribute('aria-label', name);
    press.title = name;
    press.append(pictureOf(address, photo.name));
    item.append(press);
    this.#shown.set(photo.id, { item, address });
    return item;
  }

  /** Takes what is dropped here, or pasted while one of its controls has the focus. */
  #listenForDrops(): void {
    const { item } = this;
    const take = (event: Event, files: Iterable<File> | undefined): void => {
      const given = [...(files ?? [])];
      if (given.length > 0) {
        // The page looks at all other photos that are dropped.
        event.preventDefault();
        this.#events.files(this.#tag.id, given);
      }
    };
    item.addEventListener('drop', (event) => take(event, event.dataTransfer?.files));
    item.addEventListener('paste', (event) => take(event, event.clipboardData?.files));
  }
}

/** Returns a small picture, or the name where there is none. */
export function pictureOf(address: string, name: string): HTMLElement {
  if (!address) {
    return made('span', 'lesson-nameless', name);
  }
  const image = made('img');
  image.src = address;
  image.alt = '';
  image.loading = 'lazy';
  return image;
}
