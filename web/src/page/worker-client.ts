/** The page's end of a worker: messages and downloads, from the worker's start to its end. */

import type { BackendPreference, Failure, FromWorker, Photo, ToWorker } from '../messages';
import { type DownloadEvents, type DownloadOptions, Downloads } from './downloads';
import { hasModuleWorkers } from './module-workers';
import type { SiteDigests } from './site-digests';
import type { ModelFiles } from './site-files';
import { type Fetch, nameOf } from './resumable-fetch';
import { HAS_SIMD } from './simd-support';

/** The code that a worker runs, at absolute addresses, and how its files are checked and fetched. */
export interface WorkerCode {
  readonly script: string;
  /** The WebAssembly that fits this browser; null where it has none. */
  readonly wasm: string | null;
  readonly digests: SiteDigests;
  /** In place of the browser's own. */
  readonly fetch?: Fetch;
}

/** How to start. */
export interface StartOptions extends DownloadOptions {
  /** Whether a photo is on its way: {@link WorkerClient.classify} or `giveUp` will be called. */
  readonly expectsPhoto: boolean;
}

/** Starts a worker and speaks to it in types. */
export class WorkerClient {
  readonly #hear: (message: FromWorker) => void;
  readonly #code: WorkerCode;
  readonly #downloads: Downloads;
  #worker: Worker | undefined;
  #isEnded = false;
  #scripts: Promise<boolean> = Promise.resolve(true);
  /** Messages for a worker that is not listening yet; sent earlier they could be lost. */
  #waiting: [ToWorker, Transferable[]][] | null = [];
  #isSecond = false;

  /**
   * @param hear - Called with every message; not after {@link end}.
   * @param downloadEvents - A failed download is heard as a message.
   */
  constructor(
    code: WorkerCode,
    hear: (message: FromWorker) => void,
    downloadEvents: Omit<DownloadEvents, 'failed'>,
  ) {
    this.#code = code;
    this.#hear = (message) => {
      if (!this.#isEnded) {
        hear(message);
      }
    };
    this.#downloads = new Downloads(
      (message, transfer) => this.#post(message, transfer),
      { ...downloadEvents, failed: (failure) => this.#hear({ kind: 'failed', failure }) },
      code.digests,
      code.fetch,
    );
  }

  /** Starts a worker with the model, and loads its files for it. */
  start(
    { contract, weights, earlyWeights }: ModelFiles,
    backend: BackendPreference,
    { expectsPhoto, ...options }: StartOptions,
  ): void {
    const wasm = backend.kind === 'forced' && backend.backend !== 'wasm' ? null : this.#code.wasm;
    const files = { contract, weights, wasm };
    this.#scripts = this.#downloads.checkScripts(options.bypassCache);
    // After a failure the scripts must be fetched again before a worker loads them from the cache.
    if (!options.bypassCache) {
      this.#spawn();
    }
    // A worker gets no order before its scripts are known to be intact.
    void this.#scripts.then((areRight) => {
      if (areRight && !this.#isEnded) {
        if (options.bypassCache) {
          this.#spawn();
        }
        this.#post({ kind: 'start', files, backend, simd: HAS_SIMD, expectsPhoto });
      }
    });
    void this.#downloads.start(files, earlyWeights, options, this.#scripts);
  }

  /** Answers that were kept, by their addresses; all are checked once there are tags. */
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
    this.#isEnded = true;
    this.#downloads.cancel();
    this.#worker?.terminate();
  }

  #spawn(): void {
    const worker = moduleWorker(this.#code.script);
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === 'listening') {
        this.#waiting?.forEach(([message, transfer]) => worker.postMessage(message, transfer));
        this.#waiting = null;
      } else if (data.kind === 'whole') {
        this.#downloads.keep(data.file, data.content);
      } else if (data.kind === 'failed') {
        void this.#hearFailure(data.failure);
      } else {
        this.#hear(data);
      }
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      // If the script could not be loaded, the event has no message.
      if (event.message) {
        void this.#hearFailure(
          hasModuleWorkers() ? { code: 'worker', detail: event.message } : { code: 'old-browser' },
        );
      } else if (this.#waiting && !this.#isSecond) {
        void this.#spawnAgain();
      } else {
        void this.#hearFailure({ code: 'network', file: nameOf(this.#code.script) });
      }
    });
  }

  /** Starts the worker again, which did not get its scripts, once they have arrived here. */
  async #spawnAgain(): Promise<void> {
    this.#isSecond = true;
    if ((await this.#scripts) && !this.#isEnded) {
      this.#spawn();
    }
  }

  /** Reports a worker's failure, unless a damaged file may have caused it. */
  async #hearFailure(failure: Failure): Promise<void> {
    if (['backend', 'damaged'].includes(failure.code) || (await this.#downloads.areRight)) {
      this.#hear({ kind: 'failed', failure });
    }
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    if (this.#waiting) {
      this.#waiting.push([message, transfer]);
    } else {
      this.#worker?.postMessage(message, transfer);
    }
  }
}

/** Starts a worker; one of another origin by a script of this one that imports it. */
export function moduleWorker(script: string): Worker {
  if (new URL(script).origin === self.location.origin) {
    return new Worker(script, { type: 'module' });
  }
  const importing = new Blob([`import ${JSON.stringify(script)};`], { type: 'text/javascript' });
  // Not revoked: the worker may not have read it when this function ends. It is a hundred bytes.
  return new Worker(URL.createObjectURL(importing), { type: 'module' });
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
