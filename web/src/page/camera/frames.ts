/** The frames of a camera, of which only the newest counts. */

/** Watches a video for frames that have not been taken yet. */
export class Frames {
  readonly #video: HTMLVideoElement;
  readonly #signal: AbortSignal;
  #shown = 0;
  #isNew = false;
  #wake: (() => void) | undefined;

  /** @param signal - Ends the watch. */
  constructor(video: HTMLVideoElement, signal: AbortSignal) {
    this.#video = video;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake?.());
    this.#watch();
  }

  /** How many frames were shown since the watch began. */
  get shown(): number {
    return this.#shown;
  }

  /** Returns the frame on show, when it is one that was not returned before; null at the end. */
  async next(): Promise<ImageBitmap | null> {
    while (!this.#signal.aborted) {
      if (!this.#isNew) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#isNew = false;
      // A video whose camera goes away just now has no picture to give.
      const frame = await createImageBitmap(this.#video).catch(() => null);
      if (frame && !this.#signal.aborted) {
        return frame;
      }
      frame?.close();
    }
    return null;
  }

  #watch(): void {
    const seen = (): void => {
      if (!this.#signal.aborted) {
        this.#shown++;
        this.#isNew = true;
        this.#wake?.();
        this.#watch();
      }
    };
    if ('requestVideoFrameCallback' in this.#video) {
      this.#video.requestVideoFrameCallback(seen);
    } else {
      // Firefox before 132.
      requestAnimationFrame(seen);
    }
  }
}
