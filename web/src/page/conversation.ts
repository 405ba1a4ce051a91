/** Talks with the worker: one conversation from the start of a worker to its end. */

import workerUrl from '../worker/main.ts?worker&url';
import type { BackendWish, FromWorker, Photo, ToWorker } from '../messages';
import { type DownloadEvents, type DownloadOptions, Downloads } from './downloads';
import type { ModelFiles } from './site-files';
import { HAS_SIMD, WASM_URL } from './wasm-choice';

/** The address of the worker's script. */
export const WORKER_URL = new URL(workerUrl, import.meta.url).href;

/** How to start. */
export interface StartOptions extends DownloadOptions {
  /** Whether a photo is on its way: {@link Conversation.classify} or `giveUp` will be called. */
  readonly expectsPhoto: boolean;
}

/** Starts a worker and speaks to it in types. */
export class Conversation {
  readonly #worker: Worker;
  readonly #downloads: Downloads;

  /** @param hear - Called with every message; not after {@link end}. */
  constructor(hear: (message: FromWorker) => void, downloadEvents: DownloadEvents) {
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
    this.#downloads = new Downloads(
      (message, transfer) => this.#post(message, transfer),
      downloadEvents,
    );
  }

  /** Tells the worker to load the model, and loads its files for it. */
  start(
    { contract, weights, earlyWeights }: ModelFiles,
    backend: BackendWish,
    { expectsPhoto, ...options }: StartOptions,
  ): void {
    const wasm = backend.kind === 'forced' && backend.backend !== 'wasm' ? null : WASM_URL;
    const files = { contract, weights, wasm };
    this.#post({ kind: 'start', files, backend, simd: HAS_SIMD, expectsPhoto });
    void this.#downloads.start(files, earlyWeights, options);
  }

  /** Answers that were kept, by their addresses. */
  get downloaded(): ReadonlyMap<string, Response> {
    return this.#downloads.kept;
  }

  /** Asks for the tags of a photo; the worker may pass over it for a newer one. */
  classify(id: number, photo: Photo): void {
    this.#post({ kind: 'classify', id, photo }, transferOf(photo));
  }

  /** Says that the expected photo will not come. */
  giveUp(): void {
    this.#post({ kind: 'no-photo' });
  }

  /** Ends the worker at once. */
  end(): void {
    this.#downloads.cancel();
    this.#worker.terminate();
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

function transferOf(photo: Photo): Transferable[] {
  switch (photo.kind) {
    case 'file':
      return [];
    case 'frame':
      return [photo.frame];
    case 'pixels':
      return [photo.pixels.data.buffer];
  }
}
