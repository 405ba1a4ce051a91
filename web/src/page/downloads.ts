/**
 * Fetches what the worker needs and hands it over piece by piece.
 *
 * The document names these files as preloads, all but most of the weights, so they are on
 * their way before any script runs; what is preloaded goes to the page only, hence the page
 * fetches for the worker.
 *
 * The end of a file is handed over when its digest is known to be the one that was published.
 * The worker needs the ends of all files, so of wrong ones it never makes tags.
 */

import type { Failure, Span, ToWorker, WorkerFiles } from '../messages';
import { digestOf } from './digest';
import type { Published } from './published';
import { nameOf, Refused, steadyFetch } from './steady-fetch';

/** How to download. */
export interface DownloadOptions {
  /** Whether to pass over what the browser's cache holds. */
  readonly afresh: boolean;
  /** Whether to keep the answers, for {@link Downloads.handOver}. */
  readonly keep: boolean;
  /** What all weights but the early ones wait for. */
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
  /** One file cannot be had; the others no longer matter. */
  failed(failure: Failure): void;
}

/** Takes messages for the worker. */
export type Post = (message: ToWorker, transfer: Transferable[]) => void;

/** What is done with a file that the worker gets. */
interface Hand {
  opened?(answer: Response): void;
  piece?(bytes: Uint8Array<ArrayBuffer>): void;
  /** It is the file that was published. */
  complete?(pieces: readonly Uint8Array<ArrayBuffer>[]): void | Promise<void>;
}

interface Kept {
  readonly headers: Headers;
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
}

/** The downloads of one worker. */
export class Downloads {
  readonly #cancel = new AbortController();
  readonly #post: Post;
  readonly #events: DownloadEvents;
  readonly #published: Published;
  readonly #kept = new Map<string, Kept>();
  readonly #interrupted = new Set<string>();
  #receivedBytes = 0;
  #failure: Failure | undefined;
  #decide: ((isRight: boolean) => void) | undefined;

  /** Whether all that was asked for is what was published; settles with the first that is not. */
  readonly areRight = new Promise<boolean>((resolve) => {
    this.#decide = resolve;
  });

  /** @param published - A file that it does not name is taken as it is. */
  constructor(post: Post, events: DownloadEvents, published: Published) {
    this.#post = post;
    this.#events = events;
    this.#published = published;
  }

  /**
   * Looks at the worker's scripts, which the worker itself takes from the browser's cache.
   *
   * @returns whether they are right; `failed` was called if not.
   */
  async checkScripts(afresh: boolean): Promise<boolean> {
    const scripts = [...this.#published.worker.keys()];
    return all(scripts.map((file) => this.#deliver(file, {}, afresh, false)));
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
    { afresh, keep, weightsAfter }: DownloadOptions,
    scripts: Promise<boolean> = Promise.resolve(true),
  ): Promise<void> {
    const start = performance.timeOrigin + performance.now();
    const deliver = (file: string, hand: Hand): Promise<boolean> =>
      this.#deliver(file, hand, afresh, keep);
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

  /** Gives whole answers away, by their addresses; they are there when all has come. */
  handOver(): ReadonlyMap<string, Response> {
    const kept = [...this.#kept];
    this.#kept.clear();
    return new Map(
      kept.map(([file, { headers, pieces }]) => [
        file,
        new Response(new Blob([...pieces]), { headers }),
      ]),
    );
  }

  /** Ends what is still under way. */
  cancel(): void {
    this.#cancel.abort();
  }

  /** Fetches a file and hands over what comes of it, or says why nothing does. */
  async #deliver(file: string, hand: Hand, afresh: boolean, keep: boolean): Promise<boolean> {
    const { signal } = this.#cancel;
    const { worker, files } = this.#published;
    const digest = files.get(file) ?? worker.get(file);
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let headers = new Headers();
    try {
      await steadyFetch(
        file,
        (piece) => {
          pieces.push(piece);
          hand.piece?.(piece);
        },
        {
          signal,
          afresh,
          opened: (answer) => {
            if (pieces.length === 0) {
              headers = answer.headers;
              hand.opened?.(answer);
            }
          },
          interrupted: (isInterrupted) => this.#interrupt(file, isInterrupted),
        },
      );
      if (digest !== undefined && (await digestOf(pieces)) !== digest) {
        throw new Refused({ code: 'damaged', file: nameOf(file) });
      }
      await hand.complete?.(pieces);
    } catch (error) {
      this.#interrupt(file, false);
      if (!signal.aborted) {
        this.#fail(
          error instanceof Refused ? error.failure : { code: 'network', file: nameOf(file) },
        );
      }
      return false;
    }
    if (keep) {
      this.#kept.set(file, { headers, pieces });
    }
    return true;
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
        // A copy: these are still looked at here.
        this.#post({ kind: 'piece', file, bytes }, []);
        if (isWeights) {
          this.#receivedBytes += bytes.length;
          this.#events.progress(this.#receivedBytes);
        }
      },
      complete: () => this.#post({ kind: 'complete', file }, []),
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
