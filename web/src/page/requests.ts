/** What is to be tagged: the photo on show, and photos beside it. */

import type { Photo } from '../messages';
import { BackgroundQueue } from './background-queue';

/** What stands where there is no photo on show: nothing, one on its way, or the camera's picture. */
export type InPlace = 'nothing' | 'expected' | 'live';

/** Numbers photos, so that an answer tells which one it is for. */
export class Requests {
  readonly side = new BackgroundQueue();
  #ids = 0;
  #shownId = 0;
  #photo: Blob | undefined;
  #inPlace: InPlace = 'nothing';
  #isAnswerDue = false;

  /** The id of the photo on show; answers for others on show before are late. */
  get shownId(): number {
    return this.#shownId;
  }

  /** The photo on show. */
  get photo(): Blob | undefined {
    return this.#photo;
  }

  /** Whether a photo is on show, or on its way. */
  get hasPhoto(): boolean {
    return this.#photo !== undefined || this.#inPlace === 'expected';
  }

  /** Whether the camera's picture is on show. */
  get isLive(): boolean {
    return this.#inPlace === 'live';
  }

  /** Puts something in place of the photo on show, whose answer will be late. */
  replace(inPlace: InPlace): void {
    this.#shownId = ++this.#ids;
    this.forget();
    this.#inPlace = inPlace;
  }

  /** Shows a photo in place of what is there. */
  show(file: Blob): void {
    this.replace('nothing');
    this.#photo = file;
  }

  /** Forgets the photo on show, which cannot be tagged. */
  forget(): void {
    this.#photo = undefined;
    this.#inPlace = 'nothing';
    this.#isAnswerDue = false;
  }

  /** Notes that the full model has the photo on show. */
  handedOn(): void {
    this.#isAnswerDue = true;
  }

  /** Notes that the full model has answered. */
  answered(id: number): void {
    if (id === this.#shownId) {
      this.#isAnswerDue = false;
    }
  }

  /** Returns the file that has this id, if it still matters. */
  file(id: number): Blob | undefined {
    const beside = this.side.photo(id);
    if (beside) {
      return beside.kind === 'file' ? beside.file : undefined;
    }
    return id === this.#shownId ? this.#photo : undefined;
  }

  /** Takes the next photo beside the one on show, if it is its turn. */
  next(): { readonly id: number; readonly photo: Photo } | undefined {
    if (this.#isAnswerDue || this.side.isAsked) {
      return undefined;
    }
    const id = this.#ids + 1;
    const photo = this.side.next(id);
    if (!photo) {
      return undefined;
    }
    this.#ids = id;
    return { id, photo };
  }
}
