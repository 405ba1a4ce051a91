/** Tags what the camera sees, as often as the model can: a frame is taken when the last is done. */

import { element } from '../elements';
import { duration } from '../number-format';
import { say } from '../language';
import type { PhotoPlace } from '../photo-place';
import { shownName } from '../tag-list';
import { Announcer } from './announcer';
import { CameraError, cameraStream, otherCamera } from './camera-stream';
import { FramePace } from './frame-pace';
import { Frames } from './frames';

export { cameraStream };

interface Run {
  readonly stream: MediaStream;
  readonly video: HTMLVideoElement;
  readonly pace: FramePace;
}

/** The camera with its buttons. */
export class Camera {
  readonly #place: PhotoPlace;
  readonly #photo = element('#photo', HTMLElement);
  readonly #tags = element('#tags-place', HTMLElement);
  readonly #button = element('#camera', HTMLButtonElement);
  readonly #switch = element('#camera-switch', HTMLButtonElement);
  readonly #note = element('#camera-note', HTMLElement);
  readonly #spoken = element('#camera-spoken', HTMLElement);
  #run: Run | undefined;
  /** Ends the run, or the question for the camera before it. */
  #end: AbortController | undefined;

  constructor(place: PhotoPlace) {
    this.#place = place;
    this.#switch.addEventListener('click', () => void this.#switchCamera());
    // A hidden page must not use the camera.
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) {
        this.#stopUnasked('cameraHidden');
      }
    });
    addEventListener('pagehide', () => this.stop());
  }

  /** Starts the camera, or stops it and keeps its last picture. */
  async toggle(): Promise<void> {
    if (this.#end) {
      this.#keepLast();
    } else {
      await this.#start(null);
    }
  }

  /** Stops the camera, whose light goes out, and leaves its picture until there is another. */
  stop(): void {
    this.#end?.abort();
    this.#end = undefined;
    this.#run = undefined;
    this.#button.textContent = say('cameraStart');
    this.#switch.hidden = true;
    this.#tags.setAttribute('aria-live', 'polite');
    this.#write('');
    this.#spoken.textContent = '';
  }

  async #start(deviceId: string | null): Promise<void> {
    this.stop();
    const end = new AbortController();
    this.#end = end;
    this.#button.textContent = say('cameraStop');
    this.#write(say('cameraAsking'));
    let run: Run;
    try {
      run = await opened(deviceId, end.signal);
    } catch (error) {
      if (!end.signal.aborted) {
        this.stop();
        const detail = String(error);
        const sentence = error instanceof CameraError ? error.message : null;
        this.#place.alert(sentence ?? say('cameraFailed', { detail }));
      }
      return;
    }
    if (end.signal.aborted) {
      return;
    }
    // This makes room for the camera too, and would stop it.
    this.#end = undefined;
    this.#place.clear();
    this.#end = end;
    this.#run = run;
    this.#button.textContent = say('cameraStop');
    this.#tags.setAttribute('aria-live', 'off');
    this.#place.frame.showVideo(run.video);
    this.#place.session.goLive();
    run.stream.getVideoTracks()[0]?.addEventListener('ended', () => {
      if (this.#run === run) {
        this.#stopUnasked('cameraLost');
      }
    });
    this.#switch.hidden = (await otherCamera(run.stream).catch(() => null)) === null;
    if (!end.signal.aborted) {
      await this.#follow(run, end.signal);
    }
  }

  /** Tags frames until it is stopped; frames that come while the worker is busy are dropped. */
  async #follow({ video, pace }: Run, signal: AbortSignal): Promise<void> {
    const announcer = new Announcer((label) => {
      this.#spoken.textContent = label;
    });
    const frames = new Frames(video, signal);
    for (;;) {
      const frame = await frames.next();
      if (!frame) {
        return;
      }
      pace.take();
      const answer = await this.#place.session.ask({ kind: 'frame', frame }, signal);
      if (signal.aborted) {
        return;
      }
      if (answer.kind === 'tagged') {
        const { tagging } = answer;
        const now = performance.now();
        pace.answer(now);
        const rate = pace.rateToSay(now);
        this.#place.tags.update(
          tagging,
          rate === null
            ? null
            : say('liveTiming', {
                rate: Math.round(rate),
                inference: duration(tagging.inferenceMs),
              }),
        );
        this.#place.frame.showCrop(tagging.view);
        const [tag] = tagging.tags;
        announcer.see(tag ? shownName(tag) : '', now);
      }
      if (answer.kind === 'refused') {
        this.stop();
        this.#place.frame.clear();
        this.#place.session.giveUp(say('alteredPixels'));
        return;
      }
      const { dataset } = this.#photo;
      dataset['framesTaken'] = String(pace.taken);
      dataset['framesAnswered'] = String(pace.answered);
      dataset['framesShown'] = String(frames.shown);
    }
  }

  async #switchCamera(): Promise<void> {
    const run = this.#run;
    const other = run && (await otherCamera(run.stream).catch(() => null));
    if (other && this.#run === run) {
      // If the other camera is not available, this one's picture stays.
      this.#keepLast();
      await this.#start(other);
    }
  }

  #stopUnasked(why: 'cameraHidden' | 'cameraLost'): void {
    if (this.#run) {
      this.#keepLast();
      this.#write(say(why));
    } else {
      this.stop();
    }
  }

  /** Stops, and lets the last picture be the photo on show, so that tags and picture agree. */
  #keepLast(): void {
    const last = this.#run && picture(this.#run.video);
    this.stop();
    if (last) {
      const failed = (): string => say('cameraFailed', { detail: 'toBlob' });
      void this.#place.tagComing(() => pngOf(last), say('cameraPhoto'), failed);
    }
  }

  #write(note: string): void {
    this.#note.textContent = note;
  }
}

/** Opens a camera; its light goes out with the signal. */
async function opened(deviceId: string | null, signal: AbortSignal): Promise<Run> {
  const stream = await cameraStream(deviceId);
  const goOut = (): void => stream.getTracks().forEach((track) => track.stop());
  signal.addEventListener('abort', goOut);
  const video = document.createElement('video');
  if (signal.aborted) {
    goOut();
  } else {
    // Both are needed for a video to play by itself on a phone.
    video.muted = true;
    video.playsInline = true;
    video.srcObject = stream;
    await video.play();
  }
  return { stream, video, pace: new FramePace() };
}

/** Returns what the video shows; null where it shows nothing yet. */
function picture(video: HTMLVideoElement): HTMLCanvasElement | null {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const drawing = canvas.width > 0 ? canvas.getContext('2d') : null;
  drawing?.drawImage(video, 0, 0);
  return drawing && canvas;
}

function pngOf(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no PNG')))),
  );
}
