/** Tells a screen reader what a camera sees, now and then. */

/** The least time between two announcements, in milliseconds, as speech takes time. */
const APART_MS = 5000;

/** Speaks of the best tag when it is another one. */
export class Announcer {
  readonly #say: (label: string) => void;
  #label: string | undefined;
  #time = -Infinity;

  constructor(say: (label: string) => void) {
    this.#say = say;
  }

  /** Takes the best tag at a time in milliseconds. */
  see(label: string, now: number): void {
    if (label !== this.#label && now - this.#time >= APART_MS) {
      this.#label = label;
      this.#time = now;
      this.#say(label);
    }
  }
}
