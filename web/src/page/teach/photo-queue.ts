/** Has the model look at the photos that are to be learned from, one after another. */

import type { Photo } from '../../messages';
import { refusalSentence } from '../sentences';
import type { Session } from '../session';
import type { TaughtPhoto } from './lessons';
import { fileOf, SIDE } from './small-picture';
import { tell } from './words';

/** What comes of the photos. */
export interface QueueEvents {
  /** A photo's features are known. */
  taught(photo: Omit<TaughtPhoto, 'id'>): void;
  refused(sentence: string): void;
  /** So many files wait. */
  left(count: number): void;
}

interface Waiting {
  readonly tag: number;
  readonly file: File;
  readonly keeps: boolean;
}

/** Files wait without being decoded; a camera's pictures do not wait. */
export class PhotoQueue {
  readonly #session: Session;
  readonly #width: number;
  readonly #events: QueueEvents;
  #waiting: Waiting[] = [];
  #isRunning = false;
  #ending = new AbortController();
  #frames = 0;

  /** @param width - How many features the model has. */
  constructor(session: Session, width: number, events: QueueEvents) {
    this.#session = session;
    this.#width = width;
    this.#events = events;
  }

  /** Adds files for a tag. */
  files(tag: number, files: readonly File[], keeps: boolean): void {
    this.#waiting.push(...files.map((file) => ({ tag, file, keeps })));
    void this.#run();
  }

  /** Takes a camera's picture for a tag, and closes it. */
  async frame(tag: number, frame: ImageBitmap, keeps: boolean): Promise<void> {
    const name = tell('cameraName', { count: ++this.#frames });
    const [small, whole] = await Promise.all([
      createImageBitmap(frame).then((copy) => fileOf(copy)),
      keeps ? createImageBitmap(frame).then((copy) => fileOf(copy, copy.width)) : null,
    ]);
    const asked: Photo = { kind: 'frame', frame };
    const answer = await this.#ask(asked);
    if (answer && 'features' in answer) {
      const { features } = answer;
      this.#events.taught({ tag, name, features, thumbnail: small, photo: whole });
    }
  }

  /** Forgets what waits. */
  stop(): void {
    this.#waiting = [];
    this.#ending.abort();
    this.#ending = new AbortController();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) {
      return;
    }
    this.#isRunning = true;
    this.#session.recover();
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      this.#events.left(this.#waiting.length + 1);
      await this.#teach(next);
    }
    this.#isRunning = false;
    this.#events.left(0);
  }

  async #teach({ tag, file, keeps }: Waiting): Promise<void> {
    const { signal } = this.#ending;
    for (;;) {
      const answer = await this.#ask({ kind: 'file', file, thumbnailSide: SIDE });
      if (signal.aborted || !answer) {
        return;
      }
      if ('features' in answer) {
        const { thumbnail: small } = answer;
        const thumbnail = small ? await fileOf(small) : null;
        const { features } = answer;
        const photo = keeps ? file : null;
        this.#events.taught({ tag, name: file.name, features, thumbnail, photo });
        return;
      }
      if (answer.refusal) {
        const sentence = await refusalSentence(file, answer.refusal);
        this.#events.refused(tell('noPhoto', { photo: file.name, sentence }));
        return;
      }
      // A photo on show came between; this one is asked for again.
    }
  }

  /** Returns a photo's features, or why there are none; null where the model failed. */
  async #ask(given: Photo) {
    const photo: Photo = { ...given, choice: { top: 1, features: true } };
    const answer = await this.#session.ask(photo, this.#ending.signal);
    switch (answer.kind) {
      case 'tagged': {
        const { features } = answer.tagging;
        if (features?.length === this.#width) {
          return { features, thumbnail: answer.thumbnail };
        }
        answer.thumbnail?.close();
        this.#events.refused(tell('modelFailed'));
        return null;
      }
      case 'refused':
        return { refusal: answer.refusal };
      case 'failed':
        this.#waiting = [];
        this.#events.refused(tell('modelFailed'));
        return null;
      case 'lost':
        return { refusal: null };
    }
  }
}
