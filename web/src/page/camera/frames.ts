/** The frames of a camera, of which only the newest counts. */

/** A picture that can be handed to a worker; it has to be closed. */
export type Frame = ImageBitmap | VideoFrame;

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
  async next(): Promise<Frame | null> {
    while (!this.#signal.aborted) {
      if (!this.#isNew) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#isNew = false;
      // A video whose camera goes away just now has no picture to give.
      const frame = await frameOf(this.#video).catch(() => null);
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

/** Returns what the video shows, upright. */
async function frameOf(video: HTMLVideoElement): Promise<Frame> {
  if ('VideoFrame' in self) {
    // The camera's own picture, for which nothing is drawn here; but a phone's may lie on its side.
    const frame = new VideoFrame(video);
    if (frame.displayWidth === video.videoWidth && frame.displayHeight === video.videoHeight) {
      return frame;
    }
    frame.close();
  }
  return createImageBitmap(video);
}
