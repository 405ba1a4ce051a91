/** Brings the worker from nothing to a model that has run once. */

import type { Contract } from '../contract';
import type { BackendName, BackendReason, FromWorker, Span, Stage, ToWorker } from '../messages';
import type { Classifier } from './classifier';
import { detailOf, FailureError } from './failure-error';
import { type Incoming, wholeFile } from './incoming';
import { type ModelFiles, receiveModel } from './model-files';
import type { PreparedPhoto } from './preprocess';
import type { Tagger } from './tagger';
import { timed } from './timeline';

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

/** What the worker has to say while the model is on its way. */
export interface StartEvents {
  /** The contract has come, long before the weights. */
  agreed(contract: Contract): void;
  /** Asked when the model can run: the photo to run it on first, or null if there is none. */
  firstPhoto(): Promise<PreparedPhoto | null>;
}

/** Receives the model while the backend starts, then builds it and runs it once. */
export async function start(
  order: StartOrder,
  incoming: Incoming,
  post: (message: FromWorker) => void,
  events: StartEvents,
): Promise<Started> {
  const report = (stage: Stage, span: Span): void => post({ kind: 'stage', stage, span });
  const backend = firstBackend(order);

  const [files, engine] = await Promise.all([
    receiveModel(incoming, order.files, (contract) => events.agreed(contract)),
    timed('backend', report, () => startBackend(order, incoming)),
  ]);
  const classifier = await timed('decode', report, () => engine.Classifier.load(backend, files));
  const tagger = new engine.Tagger(
    files,
    classifier,
    order.simd,
    firstReason(order),
    (backendReport) => post({ kind: 'backend', report: backendReport }),
  );
  const photo = await events.firstPhoto();
  await timed('warm-up', report, () => tagger.warmUp(photo));
  return { engine, tagger, classifier, files };
}

/** Returns the backend that is asked for, or WebAssembly, or what works without it. */
function firstBackend({ backend, files }: StartOrder): BackendName {
  if (backend.kind === 'forced') {
    return backend.backend;
  }
  return files.wasm === null ? 'cpu' : 'wasm';
}

function firstReason(order: StartOrder): BackendReason {
  if (order.backend.kind === 'forced') {
    return { code: 'forced' };
  }
  return { code: firstBackend(order) === 'wasm' ? 'first' : 'no-wasm' };
}

async function startBackend(order: StartOrder, incoming: Incoming): Promise<Engine> {
  const { files, simd } = order;
  const loading = loadEngine();
  const backend = firstBackend(order);
  let isStarted: boolean;
  try {
    if (backend !== 'wasm') {
      isStarted = await (await loading).startOther(backend);
    } else if (files.wasm !== null) {
      const [engine, bytes] = await Promise.all([loading, wholeFile(incoming.file(files.wasm))]);
      isStarted = await engine.startWasm({ simd, bytes });
    } else {
      throw new Error('it has no WebAssembly.');
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
