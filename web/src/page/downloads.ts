/**
 * Fetches what the worker needs and hands it over piece by piece.
 *
 * The document names these files as preloads, all but most of the weights, so they are on
 * their way before any script runs; what is preloaded goes to the page only, hence the page
 * fetches for the worker.
 */

import type { Failure, Span, ToWorker, WorkerFiles } from '../messages';

/** How to download. */
export interface DownloadOptions {
  /** Whether to pass over what the browser's cache holds. */
  readonly afresh: boolean;
  /** Whether to keep the answers, for {@link Downloads.kept}. */
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
}

/** Takes messages for the worker. */
export type Post = (message: ToWorker, transfer: Transferable[]) => void;

/** Makes of an answer what the worker needs. */
type Hand = (answer: Response) => Promise<void>;

/** Something that should be told to the visitor. */
class Refused extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.code);
    this.failure = failure;
  }
}

/** The downloads of one worker. */
export class Downloads {
  readonly #cancel = new AbortController();
  readonly #post: Post;
  readonly #events: DownloadEvents;
  readonly #kept = new Map<string, Response>();
  #receivedBytes = 0;

  constructor(post: Post, events: DownloadEvents) {
    this.#post = post;
    this.#events = events;
  }

  /**
   * Fetches all files: at once, or when the weights may come.
   *
   * @param earlyWeights - How many files of weights do not wait.
   */
  async start(
    { contract, weights, wasm }: WorkerFiles,
    earlyWeights: number,
    { afresh, keep, weightsAfter }: DownloadOptions,
  ): Promise<void> {
    const start = performance.timeOrigin + performance.now();
    const deliver = (file: string, hand: Hand): Promise<boolean> =>
      this.#deliver(file, hand, afresh, keep);
    const model = [
      deliver(contract, (answer) => this.#handPieces(contract, answer, false)),
      ...weights.map(async (file, index) => {
        if (index >= earlyWeights) {
          await weightsAfter;
        }
        return deliver(file, (answer) => this.#handPieces(file, answer, true));
      }),
    ];
    if (wasm !== null) {
      void deliver(wasm, (answer) => this.#handModule(wasm, answer));
    }
    if ((await Promise.all(model)).every(Boolean)) {
      this.#events.finished({ start, end: performance.timeOrigin + performance.now() });
    }
  }

  /** Whole answers by their addresses, to be read once; there when all has come. */
  get kept(): ReadonlyMap<string, Response> {
    return this.#kept;
  }

  /** Ends what is still under way. */
  cancel(): void {
    this.#cancel.abort();
  }

  /** Fetches a file and hands over what comes of it, or why nothing does. */
  async #deliver(file: string, hand: Hand, afresh: boolean, keep: boolean): Promise<boolean> {
    try {
      const { signal } = this.#cancel;
      const response = await fetch(file, { signal, ...(afresh ? { cache: 'reload' } : {}) });
      refuseStranger(response, nameOf(file));
      if (keep) {
        this.#kept.set(file, response.clone());
      }
      await hand(response);
    } catch (error) {
      if (!this.#cancel.signal.aborted) {
        const failure: Failure =
          error instanceof Refused ? error.failure : { code: 'network', file: nameOf(file) };
        this.#post({ kind: 'missing', file, failure }, []);
      }
      return false;
    }
    return true;
  }

  async #handPieces(file: string, { body }: Response, isWeights: boolean): Promise<void> {
    const reader = body?.getReader();
    for (;;) {
      const piece = await reader?.read();
      if (!piece || piece.done) {
        break;
      }
      const { byteLength, buffer } = piece.value;
      this.#post({ kind: 'piece', file, bytes: piece.value }, [buffer]);
      if (isWeights) {
        this.#receivedBytes += byteLength;
        this.#events.progress(this.#receivedBytes);
      }
    }
    this.#post({ kind: 'complete', file }, []);
  }

  async #handModule(file: string, response: Response): Promise<void> {
    // Compiled while it comes, unless the host does not say what it is.
    const isNamed = response.headers.get('content-type') === 'application/wasm';
    let module: WebAssembly.Module;
    try {
      module = await (isNamed
        ? WebAssembly.compileStreaming(response)
        : WebAssembly.compile(await response.arrayBuffer()));
    } catch (error) {
      if (error instanceof WebAssembly.CompileError) {
        throw new Refused({ code: 'backend', backend: 'wasm', detail: error.message });
      }
      throw error;
    }
    this.#post({ kind: 'compiled', file, module }, []);
  }
}

/** Takes only answers with a good status that are no page of HTML. */
function refuseStranger(response: Response, file: string): void {
  if (!response.ok) {
    throw new Refused({ code: 'http', file, status: response.status });
  }
  // Many hosts answer for a file they lack with their start page and status 200.
  if (response.headers.get('content-type')?.includes('html')) {
    throw new Refused({ code: 'html', file });
  }
}

/** Returns the last part of an address, which is how people know the file. */
function nameOf(file: string): string {
  return file.split('/').at(-1) || file;
}
