/** Work for one thread where only the newest request matters. */
export class LatestOnly<Item> {
  readonly #handle: (item: Item) => Promise<void>;
  #waiting: { readonly item: Item } | undefined;
  #running: Promise<void> = Promise.resolve();
  #busy = false;
  #opened = false;

  /** @param handle - Handles one item at a time, and never rejects. */
  constructor(handle: (item: Item) => Promise<void>) {
    this.#handle = handle;
  }

  /** Whether an item waits that is newer than the one being handled. */
  get hasNewer(): boolean {
    return this.#waiting !== undefined;
  }

  /** Begins to handle what has been put so far; until then the newest item waits. */
  open(): void {
    this.#opened = true;
    this.#next();
  }

  /** Puts an item, in place of one that still waits; returns that one. */
  put(item: Item): Item | undefined {
    const replaced = this.#waiting?.item;
    this.#waiting = { item };
    this.#next();
    return replaced;
  }

  /** Runs other work between two items; it never rejects. */
  async between(work: () => Promise<void>): Promise<void> {
    while (this.#busy) {
      await this.#running;
    }
    await this.#run(work);
  }

  #next(): void {
    const waiting = this.#waiting;
    if (this.#opened && !this.#busy && waiting) {
      this.#waiting = undefined;
      void this.#run(() => this.#handle(waiting.item));
    }
  }

  #run(work: () => Promise<void>): Promise<void> {
    this.#busy = true;
    this.#running = work().finally(() => {
      this.#busy = false;
      this.#next();
    });
    return this.#running;
  }
}
