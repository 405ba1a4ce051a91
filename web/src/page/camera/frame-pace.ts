/** Counts a camera's frames. */

/** Over which the rate is taken, in milliseconds. */
const WINDOW_MS = 1000;

/** How often what is said of the rate changes, in milliseconds. */
const SAYING_MS = 500;

/** Frames that were taken from the camera, and those of them that have been tagged. */
export class FramePace {
  #taken = 0;
  #answered = 0;
  #recent: readonly number[] = [];
  #said = -Infinity;

  get taken(): number {
    return this.#taken;
  }

  get answered(): number {
    return this.#answered;
  }

  /** Counts a frame that goes to the worker. */
  take(): void {
    this.#taken++;
  }

  /** Counts a frame that has been tagged, at a time in milliseconds. */
  answer(now: number): void {
    this.#answered++;
    this.#recent = [...this.#recent.filter((time) => time > now - WINDOW_MS), now];
  }

  /** Returns how many frames a second are tagged, or null where that was said just now. */
  rateToSay(now: number): number | null {
    if (now - this.#said < SAYING_MS) {
      return null;
    }
    this.#said = now;
    const [first = now] = this.#recent;
    return now > first ? ((this.#recent.length - 1) * 1000) / (now - first) : null;
  }
}
