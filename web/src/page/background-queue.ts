/** Photos that are tagged beside the one on show: a gallery's, and a camera's frames. */

import type { Photo, Refusal, Tagging } from '../messages';

/** What came of a photo. */
export type BackgroundAnswer =
  | { readonly kind: 'tagged'; readonly tagging: Tagging; readonly thumbnail: ImageBitmap | null }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The model failed over it. */
  | { readonly kind: 'failed' }
  /** It was not looked at; where it still matters, it has to be asked for again. */
  | { readonly kind: 'lost' };

/** Frees the small picture of an answer that nobody uses: browsers keep it until it is closed. */
export function discard(answer: BackgroundAnswer): void {
  if (answer.kind === 'tagged') {
    answer.thumbnail?.close();
  }
}

interface Question {
  readonly photo: Photo;
  readonly answer: (answer: BackgroundAnswer) => void;
}

/**
 * A queue of which one photo at a time is with the worker, so that a photo that the visitor
 * gives meanwhile waits for one of these at most.
 */
export class BackgroundQueue {
  #waiting: readonly Question[] = [];
  #asked: (Question & { readonly id: number }) | undefined;

  /** Whether one is with the worker. */
  get isAsked(): boolean {
    return this.#asked !== undefined;
  }

  /** Puts a photo at the end; what is withdrawn by the signal is lost. */
  put(photo: Photo, signal: AbortSignal): Promise<BackgroundAnswer> {
    return new Promise((resolve) => {
      let isAnswered = false;
      const answer = (given: BackgroundAnswer): void => {
        if (isAnswered) {
          discard(given);
        } else {
          isAnswered = true;
          resolve(given);
        }
      };
      const question = { photo, answer };
      this.#waiting = [...this.#waiting, question];
      const withdraw = (): void => {
        if (this.#waiting.includes(question)) {
          this.#waiting = this.#waiting.filter((other) => other !== question);
          if (photo.kind === 'frame') {
            photo.frame.close();
          }
        }
        answer({ kind: 'lost' });
      };
      if (signal.aborted) {
        withdraw();
      } else {
        signal.addEventListener('abort', withdraw);
      }
    });
  }

  /** Takes the next photo for the worker, under an id; undefined where none waits. */
  next(id: number): Photo | undefined {
    const [first, ...others] = this.#waiting;
    if (!first) {
      return undefined;
    }
    this.#waiting = others;
    this.#asked = { ...first, id };
    return first.photo;
  }

  /** Returns the photo that is with the worker, if that is its id. */
  photo(id: number): Photo | undefined {
    return this.#asked?.id === id ? this.#asked.photo : undefined;
  }

  /** Answers the photo that is with the worker, if that is its id; says whether it is. */
  settle(id: number, answer: BackgroundAnswer): boolean {
    if (this.#asked?.id !== id) {
      discard(answer);
      return false;
    }
    this.#end(answer);
    return true;
  }

  /** Answers for a worker that does so no more. */
  abandon(answer: BackgroundAnswer): void {
    if (this.#asked) {
      this.#end(answer);
    }
  }

  #end(answer: BackgroundAnswer): void {
    this.#asked?.answer(answer);
    this.#asked = undefined;
  }
}
