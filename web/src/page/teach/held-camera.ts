/** Takes pictures with the camera for as long as a button is held, or some after a countdown. */

import { button, made } from './make';
import { tell } from './words';

/** The least time between two pictures: those right after each other show the same. */
const BETWEEN_MS = 250;
/** How long the camera stays on when the button is let go. */
const REST_MS = 20_000;
/** Time to put one's hands into the picture. */
const COUNTDOWN_S = 3;
/** Pictures after the countdown. */
const AFTER_COUNTDOWN = 10;

/** Buttons of a camera: one takes pictures while it is pressed, the other some after a countdown. */
export class HeldCamera {
  readonly button = made('button', 'button', tell('hold'));
  readonly countdown = button(tell('countdown'), () => void this.#countDown());
  readonly video = made('video', 'teach-video');
  readonly #take: (frame: ImageBitmap) => Promise<void>;
  readonly #failed: (sentence: string) => void;
  #stream: Promise<MediaStream> | undefined;
  #isHeld = false;
  #isTaking = false;
  #running: Promise<void> = Promise.resolve();
  /** How many countdowns have begun or were ended: one that is not the last does nothing. */
  #countdowns = 0;
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

  /** Switches the camera off; a countdown ends. */
  stop(): void {
    this.#isHeld = false;
    this.#countdowns++;
    clearTimeout(this.#rest);
    const stream = this.#stream;
    this.#stream = undefined;
    this.video.hidden = true;
    void stream?.then((opened) => opened.getTracks().forEach((track) => track.stop()));
  }

  /** Takes pictures after a countdown, so that both hands are free. */
  async #countDown(): Promise<void> {
    const own = ++this.#countdowns;
    const isOver = (): boolean => own !== this.#countdowns;
    // What was begun before ends first.
    await this.#running;
    await this.#run(AFTER_COUNTDOWN, async () => {
      for (let seconds = COUNTDOWN_S; seconds > 0 && !isOver(); seconds--) {
        this.countdown.textContent = tell('countdownLeft', { seconds });
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      this.countdown.textContent = tell('countdown');
      return !isOver();
    });
  }

  /**
   * Takes pictures while the button is held.
   *
   * @param least - How many it takes however short that is.
   * @param ready - Settles when the first may be taken, with whether it still should.
   */
  #run(least = 1, ready = async () => Promise.resolve(true)): Promise<void> {
    if (!this.#isTaking) {
      this.#running = this.#takeAll(least, ready);
    }
    return this.#running;
  }

  async #takeAll(least: number, ready: () => Promise<boolean>): Promise<void> {
    this.#isTaking = true;
    clearTimeout(this.#rest);
    try {
      await this.#open();
      let taken = 0;
      const isOn = await ready();
      while (isOn && this.#stream && (taken < least || this.#isHeld)) {
        const pause = new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
        await this.#take(await createImageBitmap(this.video));
        taken++;
        await pause;
      }
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
