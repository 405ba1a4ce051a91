/** Takes pictures with the camera for as long as a button is held. */

import { made } from './make';
import { tell } from './words';

/** The least time between two pictures: those right after each other show the same. */
const BETWEEN_MS = 250;
/** How long the camera stays on when the button is let go. */
const REST_MS = 20_000;

/** A button that takes pictures while it is pressed, and one where it is only clicked. */
export class HeldCamera {
  readonly button = made('button', 'button', tell('hold'));
  readonly video = made('video', 'teach-video');
  readonly #take: (frame: ImageBitmap) => Promise<void>;
  readonly #failed: (sentence: string) => void;
  #stream: Promise<MediaStream> | undefined;
  #isHeld = false;
  #isTaking = false;
  #rest: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param take - Takes a picture, and closes it.
   * @param failed - Says why there is no camera.
   */
  constructor(take: (frame: ImageBitmap) => Promise<void>, failed: (sentence: string) => void) {
    this.#take = take;
    this.#failed = failed;
    this.button.type = 'button';
    this.video.hidden = true;
    this.video.muted = true;
    this.video.playsInline = true;
    const { button } = this;
    const hold = (): void => {
      this.#isHeld = true;
      void this.#run();
    };
    const release = (): void => {
      this.#isHeld = false;
    };
    button.addEventListener('pointerdown', (event) => {
      // Held on a phone it would select text, or open a menu.
      event.preventDefault();
      button.focus();
      button.setPointerCapture(event.pointerId);
      hold();
    });
    button.addEventListener('contextmenu', (event) => event.preventDefault());
    button.addEventListener('keydown', (event) => {
      if (event.key === ' ' || event.key === 'Enter') {
        event.preventDefault();
        if (!event.repeat) {
          hold();
        }
      }
    });
    for (const end of ['pointerup', 'pointercancel', 'keyup', 'blur'] as const) {
      button.addEventListener(end, release);
    }
    // A screen reader presses without holding.
    button.addEventListener('click', (event) => {
      if (event.detail === 0 && !this.#isTaking) {
        void this.#run();
      }
    });
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) {
        this.stop();
      }
    });
  }

  /** Switches the camera off. */
  stop(): void {
    this.#isHeld = false;
    clearTimeout(this.#rest);
    const stream = this.#stream;
    this.#stream = undefined;
    this.video.hidden = true;
    void stream?.then((opened) => opened.getTracks().forEach((track) => track.stop()));
  }

  /** Takes at least one picture. */
  async #run(): Promise<void> {
    if (this.#isTaking) {
      return;
    }
    this.#isTaking = true;
    clearTimeout(this.#rest);
    try {
      await this.#open();
      do {
        const pause = new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
        await this.#take(await createImageBitmap(this.video));
        await pause;
      } while (this.#isHeld);
      this.#rest = setTimeout(() => this.stop(), REST_MS);
    } catch (error) {
      this.stop();
      const isSaid = error instanceof Error && error.name === 'CameraError';
      this.#failed(isSaid ? error.message : tell('cameraFailed'));
    } finally {
      this.#isTaking = false;
    }
  }

  async #open(): Promise<void> {
    if (!this.#stream) {
      const { cameraStream } = await import('../camera/camera');
      this.#stream = cameraStream(null);
      this.video.srcObject = await this.#stream;
      this.video.hidden = false;
      await this.video.play();
    }
  }
}
