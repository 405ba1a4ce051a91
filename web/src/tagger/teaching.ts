/**
 * Teaches a loaded model tags of its page's own: `tagger-teach.js`, which `tagger.js` loads from the
 * site with the first lesson.
 */

import type { TaughtHead } from '../teach/head';
import type { Learned } from '../teach/learn';
import { changeBy } from '../page/teach/hand-over';
import { type Change, Lessons, type OwnTag } from '../page/teach/lessons';
import { retagged } from '../page/teach/own-tags';
import { SolverClient, type SolverWorker } from '../page/teach/solver-client';
import { readTaughtFile, taughtFile, type TaughtModel } from '../page/teach/taught-file';
import type { Session } from '../page/session';

interface Waiting {
  /** Whether only the better of the two fits will do. */
  readonly isFinal: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The lessons of one loaded model; they are in memory only. */
export class Teaching {
  readonly #session: Pick<Session, 'retag'>;
  readonly #model: TaughtModel;
  readonly #lessons = new Lessons();
  readonly #solver: SolverClient;
  #learning: readonly OwnTag[] = [];
  #head: TaughtHead | null = null;
  #waiting: Waiting[] = [];

  /** @param start - Starts the worker that learns. */
  constructor(session: Pick<Session, 'retag'>, model: TaughtModel, start: () => SolverWorker) {
    this.#session = session;
    this.#model = model;
    this.#solver = new SolverClient(
      start,
      (learned) => this.#hear(learned),
      (detail) => {
        const failed = new Error(`Learning does not work in this browser: ${detail}`);
        this.#take(() => true).forEach(({ reject }) => reject(failed));
      },
    );
  }

  /** The tags with the number of their photos. */
  get taught(): { label: string; photos: number }[] {
    return this.#lessons.tags.map(({ id, name }) => ({
      label: name,
      photos: this.#lessons.of(id).length,
    }));
  }

  /** Learns that a photo with these features shows what the label says. */
  async teach(label: string, features: Float32Array): Promise<void> {
    const tag = this.#lessons.named(label) ?? { id: this.#lessons.nextId(), name: label };
    const photo = { name: '', features, thumbnail: null, photo: null };
    await this.#change({
      putTags: [tag],
      putPhotos: [{ ...photo, id: this.#lessons.nextId(), tag: tag.id }],
    });
  }

  /** Forgets a label with its photos, or all where none is named. */
  async forget(label?: string): Promise<void> {
    const gone =
      label === undefined ? this.#lessons.tags : [this.#lessons.named(label) ?? []].flat();
    gone.forEach(({ id }) => this.#lessons.make(this.#lessons.withoutTag(id), false));
    await this.#learn();
  }

  /** Returns what was learned as a file; null if nothing was. */
  async export(): Promise<Blob | null> {
    await this.#learn(true);
    const { photos } = this.#lessons;
    return this.#head && taughtFile(this.#model, this.#learning, photos, this.#head, false);
  }

  /** Adds what a file teaches. */
  async import(file: Blob): Promise<void> {
    await this.#change(changeBy(await readTaughtFile(file, this.#model), this.#lessons));
  }

  /** Ends its worker. */
  end(): void {
    this.#solver.end();
  }

  async #change(change: Change): Promise<void> {
    this.#lessons.make(change, false);
    await this.#learn();
  }

  async #learn(isFinal = false): Promise<void> {
    const { tags, photos } = this.#lessons.learnable();
    this.#learning = tags;
    if (tags.length === 0) {
      this.#solver.end();
      this.#head = null;
      this.#session.retag(null);
      this.#take(() => true).forEach(({ resolve }) => resolve());
      return;
    }
    const learned = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ isFinal, resolve, reject });
    });
    this.#solver.learn(photos, tags.length);
    await learned;
  }

  #hear({ head, isFinal }: Learned): void {
    this.#head = head;
    const labels = this.#learning.map(({ name }) => name);
    this.#session.retag(retagged(head, labels));
    this.#take((waiting) => isFinal || !waiting.isFinal).forEach(({ resolve }) => resolve());
  }

  #take(which: (waiting: Waiting) => boolean): Waiting[] {
    const taken = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((waiting) => !which(waiting));
    return taken;
  }
}
