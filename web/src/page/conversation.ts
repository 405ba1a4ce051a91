/** Talks with the worker: one conversation from the start of a worker to its end. */

import workerUrl from '../worker/main.ts?worker&url';
import type { BackendWish, FromWorker, Photo, ToWorker } from '../messages';
import type { SiteFiles } from './site-files';

/** The address of the worker's script. */
export const WORKER_URL = new URL(workerUrl, import.meta.url).href;

/** Starts a worker and speaks to it in types. */
export class Conversation {
  readonly #worker: Worker;

  /** @param hear - Called with every message; not after {@link end}. */
  constructor(hear: (message: FromWorker) => void) {
    this.#worker = new Worker(WORKER_URL, { type: 'module' });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => hear(data));
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      // A script that could not be loaded gives an event without a message.
      const file = WORKER_URL.split('/').at(-1) ?? WORKER_URL;
      hear({
        kind: 'failed',
        failure: event.message
          ? { code: 'worker', detail: event.message }
          : { code: 'network', file },
      });
    });
  }

  /** Tells the worker to load the model. */
  start({ contract, model }: SiteFiles, backend: BackendWish, afresh: boolean): void {
    const expected = [contract, ...model];
    this.#post({ kind: 'start', base: document.baseURI, contract, expected, backend, afresh });
  }

  /** Asks for the tags of a photo; the worker may pass over it for a newer one. */
  classify(id: number, photo: Photo): void {
    this.#post(
      { kind: 'classify', id, photo },
      photo.kind === 'pixels' ? [photo.pixels.data.buffer] : [],
    );
  }

  /** Ends the worker at once. */
  end(): void {
    this.#worker.terminate();
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}
