/** The page's end of the worker that learns. */

import type { Learned, LearnOrder } from '../../teach/learn';
import type { Lesson } from './lessons';

/** What {@link SolverClient} needs of a worker. */
export type SolverWorker = Pick<Worker, 'postMessage' | 'terminate'> & {
  onmessage: ((event: MessageEvent<Learned>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
};

/** Has tags learned, and each photo's features sent once. */
export class SolverClient {
  readonly #start: () => SolverWorker;
  readonly #hear: (learned: Learned) => void;
  readonly #failed: (detail: string) => void;
  #worker: SolverWorker | undefined;
  #sent = new Set<number>();
  #lastId = 0;

  /**
   * @param start - Starts the worker.
   * @param hear - Called with what was learned by the newest order.
   * @param failed - Called where the worker cannot run; the next order starts another.
   */
  constructor(
    start: () => SolverWorker,
    hear: (learned: Learned) => void,
    failed: (detail: string) => void,
  ) {
    this.#start = start;
    this.#hear = hear;
    this.#failed = failed;
  }

  /** Learns from these photos, in place of all orders before; each tag must have photos. */
  learn(lessons: readonly Lesson[], tags: number): void {
    const worker = (this.#worker ??= this.#started());
    const fresh = lessons.filter(({ id }) => !this.#sent.has(id));
    this.#sent = new Set(lessons.map(({ id }) => id));
    const order: LearnOrder = {
      id: ++this.#lastId,
      tags,
      keys: lessons.map(({ id }) => id),
      tagOf: lessons.map(({ tag }) => tag),
      fresh: new Map(fresh.map(({ id, features }) => [id, features])),
    };
    worker.postMessage(order);
  }

  /** Ends the worker; what it would have said is not heard. */
  end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#sent.clear();
    this.#lastId++;
  }

  #started(): SolverWorker {
    const worker = this.#start();
    worker.onmessage = ({ data }) => {
      if (data.id === this.#lastId) {
        this.#hear(data);
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.end();
      this.#failed(event.message);
    };
    return worker;
  }
}
