/** The photos that confuse the tags, with what can be done about each. */

import type { Judged } from '../../teach/learn';
import { pictureOf } from './lesson-card';
import type { OwnTag, TaughtPhoto } from './lessons';
import { button, made } from './make';
import { tell } from './words';

/** So many are shown. */
const SHOWN = 5;

/** What the list asks for. */
export interface SuspectEvents {
  takeOut(photo: number): void;
  move(photo: TaughtPhoto, tag: number): void;
}

/** A list with a heading, hidden where nothing is confused. */
export class Suspects {
  readonly element = made('div', 'suspects');
  readonly #events: SuspectEvents;
  readonly #list = made('ul', 'suspect-list');
  #addresses: string[] = [];

  constructor(events: SuspectEvents) {
    this.#events = events;
    this.element.hidden = true;
    this.element.append(made('h3', '', tell('confusing')), this.#list);
  }

  /** Shows the clearest mistakes, which come first. */
  show(mistaken: readonly Judged[], tags: readonly OwnTag[], photos: readonly TaughtPhoto[]): void {
    this.#addresses.forEach((address) => URL.revokeObjectURL(address));
    this.#addresses = [];
    const known = new Map(photos.map((photo) => [photo.id, photo]));
    const rows = mistaken.slice(0, SHOWN).flatMap(({ key, found }) => {
      const photo = known.get(key);
      const own = tags.find(({ id }) => id === photo?.tag);
      const other = tags[found];
      return photo && own && other ? [this.#row(photo, own, other)] : [];
    });
    this.#list.replaceChildren(...rows);
    this.element.hidden = rows.length === 0;
  }

  #row(photo: TaughtPhoto, own: OwnTag, other: OwnTag): HTMLLIElement {
    const address = photo.thumbnail ? URL.createObjectURL(photo.thumbnail) : '';
    this.#addresses.push(address);
    const row = made('li', 'suspect');
    const says = { photo: photo.name, tag: own.name, found: other.name };
    row.append(
      pictureOf(address, photo.name),
      made('p', '', tell('looksLike', says)),
      button(tell('moveTo', says), () => this.#events.move(photo, other.id)),
      button(tell('takeOutShort'), () => this.#events.takeOut(photo.id)),
    );
    return row;
  }
}
