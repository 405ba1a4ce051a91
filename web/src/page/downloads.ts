/**
 * Fetches what the worker needs and hands it over piece by piece.
 *
 * The document names these files as preloads, all but most of the weights, so they are on
 * their way before any script runs; what is preloaded goes to the page only, hence the page
 * fetches for the worker.
 *
 * The worker looks itself at what it gets, and the page at the WebAssembly and the worker's
 * scripts. So no megabytes are copied on this thread, and of wrong files no tags are made.
 */

import { digestOf } from '../integrity/digest';
import type { Failure, Span, ToWorker, WorkerFiles } from '../messages';
import type { SiteDigests } from './site-digests';
import { type Fetch, nameOf, Refused, resumableFetch } from './resumable-fetch';

/** How to download. */
export interface DownloadOptions {
  /** Whether to bypass the browser's cache. */
  readonly bypassCache: boolean;
  /** Whether to keep the answers, for {@link Downloads.kept}. */
  readonly keep: boolean;
  /** What all weights except the early ones wait for. */
  readonly weightsAfter: Promise<void>;
}

/** What the page hears of the downloads. */
export interface DownloadEvents {
  /** @param receivedBytes - Of weights, so far. */
  progress(receivedBytes: number): void;
  /** All weights and the contract have come. */
  finished(span: Span): void;
  /** The connection is lost, and files are asked for again; or it is back. */
  interrupted(isInterrupted: boolean): void;
  /** One file is not available or damaged; the others no longer matter. */
  failed(failure: Failure): void;
}

/** Takes messages for the worker. */
export type Post = (message: ToWorker, transfer: Transferable[]) => void;

/** What is done with a file that the worker gets. */
interface Hand {
  opened?(answer: Response): void;
  /** Takes the next bytes, which are transferred: the page can no longer check them. */
  readonly piece?: (bytes: Uint8Array<ArrayBuffer>) => void;
  /**
   * All has come, and where the page could look at it, it is the file that was published.
   *
   * @param isBroken - Whether it is to be kept, and its answer broke off.
   */
  complete?(pieces: readonly Uint8Array<ArrayBuffer>[], isBroken: boolean): void | Promise<void>;
}

/** The downloads of one worker. */
export class Downloads {
  readonly #cancel = new AbortController();
  readonly #post: Post;
  readonly #events: DownloadEvents;
  readonly #siteDigests: SiteDigests;
  readonly #fetch: Fetch | undefined;
  readonly #kept = new Map<string, Response>();
  /** The headers of the first answers of files whose download was interrupted. */
  readonly #broken = new Map<string, Headers>();
  readonly #interrupted = new Set<string>();
  #receivedBytes = 0;
  #failure: Failure | undefined;
  #decide: ((isRight: boolean) => void) | undefined;

  /** Whether all files are complete and pass the page's checks; settles at the first fault. */
  readonly areRight = new Promise<boolean>((resolve) => {
    this.#decide = resolve;
  });

  /**
   * @param siteDigests - A file that is not listed is not checked.
   * @param fetchWhole - In place of the browser's own.
   */
  constructor(post: Post, events: DownloadEvents, siteDigests: SiteDigests, fetchWhole?: Fetch) {
    this.#fetch = fetchWhole;
    this.#post = post;
    this.#events = events;
    this.#siteDigests = siteDigests;
  }

  /**
   * Checks the worker's scripts, which the worker itself loads from the browser's cache.
   *
   * @returns whether they are intact; `failed` was called if not.
   */
  async checkScripts(bypassCache: boolean): Promise<boolean> {
    const scripts = [...this.#siteDigests.worker.keys()];
    return all(scripts.map((file) => this.#deliver(file, {}, bypassCache, false)));
  }

  /**
   * Fetches all files: at once, or when the weights may come.
   *
   * @param earlyWeights - How many files of weights do not wait.
   * @param scripts - What {@link checkScripts} gives.
   */
  async start(
    { contract, weights, wasm }: WorkerFiles,
    earlyWeights: number,
    { bypassCache, keep, weightsAfter }: DownloadOptions,
    scripts: Promise<boolean> = Promise.resolve(true),
  ): Promise<void> {
    const start = performance.timeOrigin + performance.now();
    const deliver = (file: string, hand: Hand): Promise<boolean> =>
      this.#deliver(file, hand, bypassCache, keep);
    const model = [
      deliver(contract, this.#handPieces(contract, false)),
      ...weights.map(async (file, index) => {
        if (index >= earlyWeights) {
          await weightsAfter;
        }
        return deliver(file, this.#handPieces(file, true));
      }),
    ];
    const module = wasm === null ? Promise.resolve(true) : deliver(wasm, this.#handModule(wasm));
    if (await all(model)) {
      this.#events.finished({ start, end: performance.timeOrigin + performance.now() });
    }
    this.#decide?.(await all([...model, module, scripts]));
  }

  /** Whole answers by their addresses, to be read once; there when all has come. */
  get kept(): ReadonlyMap<string, Response> {
    return this.#kept;
  }

  /** Keeps a whole file in place of its partial answers. */
  keep(file: string, content: Blob): void {
    const headers = this.#broken.get(file);
    if (headers) {
      this.#kept.set(file, new Response(content, { headers }));
    }
  }

  /** Ends what is still under way. */
  cancel(): void {
    this.#cancel.abort();
  }

  /** Fetches a file and passes it on, or reports why it cannot. */
  async #deliver(file: string, hand: Hand, bypassCache: boolean, keep: boolean): Promise<boolean> {
    const { signal } = this.#cancel;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const digest = hand.piece ? undefined : this.#digestOf(file);
    let first: Response | undefined;
    try {
      await resumableFetch(file, hand.piece ?? ((piece) => pieces.push(piece)), {
        signal,
        bypassCache,
        ...(this.#fetch && { fetchWhole: this.#fetch }),
        opened: (answer) => {
          if (first) {
            this.#kept.delete(file);
            this.#broken.set(file, first.headers);
            return;
          }
          first = answer;
          if (keep) {
            this.#kept.set(file, answer.clone());
          }
          hand.opened?.(answer);
        },
        interrupted: (isInterrupted) => this.#interrupt(file, isInterrupted),
      });
      if (digest !== undefined && (await digestOf(pieces)) !== digest) {
        throw new Refused({ code: 'damaged', file: nameOf(file) });
      }
      const isBroken = keep && this.#broken.has(file);
      if (isBroken && !hand.piece) {
        this.keep(file, new Blob(pieces));
      }
      await hand.complete?.(pieces, isBroken);
    } catch (error) {
      this.#kept.delete(file);
      this.#interrupt(file, false);
      if (!signal.aborted) {
        this.#fail(
          error instanceof Refused ? error.failure : { code: 'network', file: nameOf(file) },
        );
      }
      return false;
    }
    return true;
  }

  #digestOf(file: string): string | undefined {
    const { worker, files } = this.#siteDigests;
    return files.get(file) ?? worker.get(file);
  }

  #fail(failure: Failure): void {
    if (!this.#failure) {
      this.#failure = failure;
      this.#decide?.(false);
      this.#events.failed(failure);
    }
  }

  #interrupt(file: string, isInterrupted: boolean): void {
    const before = this.#interrupted.size;
    this.#interrupted[isInterrupted ? 'add' : 'delete'](file);
    const now = this.#interrupted.size;
    if (before > 0 !== now > 0) {
      this.#events.interrupted(now > 0);
    }
  }

  #handPieces(file: string, isWeights: boolean): Hand {
    return {
      piece: (bytes) => {
        const { length, buffer } = bytes;
        this.#post({ kind: 'piece', file, bytes }, [buffer]);
        if (isWeights) {
          this.#receivedBytes += length;
          this.#events.progress(this.#receivedBytes);
        }
      },
      complete: (_, isWanted) => {
        const digest = this.#digestOf(file) ?? null;
        this.#post({ kind: 'complete', file, digest, isWanted }, []);
      },
    };
  }

  #handModule(file: string): Hand {
    let streamed: Promise<WebAssembly.Module | null> | undefined;
    return {
      opened: (answer) => {
        // Compiled while it comes, unless the host does not say what it is.
        if (answer.headers.get('content-type') === 'application/wasm') {
          streamed = WebAssembly.compileStreaming(answer.clone()).catch(() => null);
        }
      },
      complete: async (pieces) => {
        try {
          const module =
            (await streamed) ??
            (await WebAssembly.compile(await new Blob([...pieces]).arrayBuffer()));
          this.#post({ kind: 'compiled', file, module }, []);
        } catch (error) {
          const detail = error instanceof Error ? error.message : String(error);
          throw new Refused({ code: 'backend', backend: 'wasm', detail });
        }
      },
    };
  }
}

async function all(deliveries: readonly Promise<boolean>[]): Promise<boolean> {
  return (await Promise.all(deliveries)).every(Boolean);
}
