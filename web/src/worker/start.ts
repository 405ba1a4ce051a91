/** Brings the worker from nothing to a model that has run once. */

import type { BackendName, FromWorker, Span, Stage, ToWorker } from '../messages';
import type { Classifier } from './classifier';
import { Downloader } from './download';
import { detailOf, FailureError } from './failure-error';
import { fetchModel, type ModelFiles, unpackModel } from './model-files';
import type { Tagger } from './tagger';
import { timed } from './timeline';
import { fetchWasm, hasSimd } from './wasm-file';

/** The code that needs TF.js. */
export type Engine = typeof import('./engine');

type StartOrder = Extract<ToWorker, { kind: 'start' }>;

/** What there is once the model has run. */
export interface Started {
  readonly engine: Engine;
  readonly tagger: Tagger;
  readonly classifier: Classifier;
  readonly files: ModelFiles;
}

/** Downloads the model while the backend starts, then builds it and runs it once. */
export async function start(
  order: StartOrder,
  post: (message: FromWorker) => void,
): Promise<Started> {
  const report = (stage: Stage, span: Span): void => post({ kind: 'stage', stage, span });
  const base = new URL(order.base);
  const backend = order.backend.kind === 'forced' ? order.backend.backend : 'wasm';
  const downloader = new Downloader(order.afresh);
  downloader.hasten(order.expected.map((address) => new URL(address, base)));

  const [files, engine] = await Promise.all([
    timed('download', report, () =>
      fetchModel(downloader, base, order.contract, (receivedBytes, totalBytes) =>
        post({ kind: 'progress', receivedBytes, totalBytes }),
      ),
    ),
    timed('backend', report, () => startBackend(backend, downloader)),
  ]);
  const classifier = await timed('decode', report, () => {
    unpackModel(files);
    return engine.Classifier.load(backend, files);
  });
  await timed('warm-up', report, () => classifier.warmUp());

  const reason = { code: order.backend.kind === 'forced' ? 'forced' : 'first' } as const;
  const tagger = new engine.Tagger(files, classifier, hasSimd(), reason, (backendReport) =>
    post({ kind: 'backend', report: backendReport }),
  );
  return { engine, tagger, classifier, files };
}

async function startBackend(backend: BackendName, downloader: Downloader): Promise<Engine> {
  const loading = loadEngine();
  let isStarted: boolean;
  try {
    if (backend === 'wasm') {
      const [engine, file] = await Promise.all([loading, fetchWasm(downloader)]);
      isStarted = await engine.startWasm(file);
    } else {
      isStarted = await (await loading).startWebgl();
    }
  } catch (error) {
    throw error instanceof FailureError
      ? error
      : new FailureError({ code: 'backend', backend, detail: detailOf(error) }, error);
  }
  if (!isStarted) {
    throw new FailureError({ code: 'backend', backend, detail: 'it did not start.' });
  }
  return loading;
}

async function loadEngine(): Promise<Engine> {
  try {
    return await import('./engine');
  } catch (error) {
    throw new FailureError({ code: 'engine', detail: detailOf(error) }, error);
  }
}
