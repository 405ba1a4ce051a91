/** Tries one variant of the model in a worker of its own, which ends with the trial. */

import type { BackendName, FromWorker, Transfer } from '../messages';
import { ownCode } from './own-code';
import { median, type Trial } from './variant-comparison';
import { WorkerClient } from './worker-client';
import { failureSentence, refusalSentence } from './sentences';
import type { ModelFiles } from './site-files';
import { transfersOf } from './wire-bytes';

/** How often the photo is tagged after the first tags, which come while the weights do. */
export const RUNS = 5;

/** A trial that found no tags; its message is a sentence for the visitor. */
export class TrialError extends Error {
  override readonly name = 'TrialError';
}

/**
 * Loads a model, tags a photo with it a few times and ends it.
 *
 * @param transfers - Called with what the worker itself has asked for.
 * @throws {@link TrialError} where it cannot; the signal's reason where that is given.
 */
export async function tryModel(
  model: ModelFiles,
  photo: Blob,
  backend: BackendName,
  transfers: (list: readonly Transfer[]) => void,
  signal: AbortSignal,
): Promise<Trial> {
  const wire = new WireCount(new Set([model.contract, ...model.weights]));
  let client: WorkerClient | undefined;
  try {
    const found = await new Promise<Omit<Trial, 'wireBytes'>>((resolve, reject) => {
      const give = (error: unknown): void => {
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      signal.addEventListener('abort', () => give(signal.reason), { once: true });
      const inferences: number[] = [];
      let loadMs = Number.NaN;
      const hear = (message: FromWorker): void => {
        switch (message.kind) {
          case 'transfers':
            transfers(message.transfers);
            break;
          case 'tagged':
            inferences.push(message.tagging.inferenceMs);
            if (message.id <= RUNS) {
              client?.classify(message.id + 1, { kind: 'file', file: photo });
            } else {
              const { tags } = message.tagging;
              const inferenceMs = median(inferences.slice(1));
              resolve({ loadMs, inferenceMs, tags });
            }
            break;
          case 'pixels-wanted':
            void sendPixels(message).catch(give);
            break;
          case 'refused':
            void refusalSentence(photo, message.refusal).then((why) => give(new TrialError(why)));
            break;
          case 'failed':
            give(new TrialError(failureSentence(message.failure)));
            break;
        }
      };
      const sendPixels = async ({
        id,
        input,
      }: Extract<FromWorker, { kind: 'pixels-wanted' }>): Promise<void> => {
        const { decodeForWorker } = await import('./decode-for-worker');
        const decoded = await decodeForWorker(photo, input);
        if (typeof decoded === 'string') {
          throw new TrialError(await refusalSentence(photo, decoded));
        }
        client?.classify(id, decoded);
      };
      client = new WorkerClient(ownCode(), hear, {
        progress: () => undefined,
        interrupted: () => undefined,
        finished: ({ start, end }) => {
          loadMs = end - start;
        },
      });
      const preference = { kind: 'forced', backend, reason: { code: 'chosen' } } as const;
      client.start(model, preference, {
        bypassCache: false,
        keep: false,
        weightsAfter: Promise.resolve(),
        expectsPhoto: true,
      });
      client.classify(1, { kind: 'file', file: photo });
    });
    return { ...found, wireBytes: await wire.bytes() };
  } finally {
    client?.end();
    wire.end();
  }
}

/** Adds up what some files cost on the wire from now on. */
class WireCount {
  readonly #entries: PerformanceResourceTiming[] = [];
  readonly #observer: PerformanceObserver;

  constructor(files: ReadonlySet<string>) {
    this.#observer = new PerformanceObserver((list) => {
      const entries = list.getEntries() as PerformanceResourceTiming[];
      this.#entries.push(...entries.filter(({ name }) => files.has(name)));
    });
    this.#observer.observe({ type: 'resource' });
  }

  /** Returns the sum so far. */
  async bytes(): Promise<number> {
    const transfers = await transfersOf(this.#entries);
    return transfers.reduce((sum, { wireBytes }) => sum + wireBytes, 0);
  }

  end(): void {
    this.#observer.disconnect();
  }
}
