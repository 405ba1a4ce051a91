/** Brings the worker from nothing to a model that has run once. */

import type { Contract } from '../contract';
import type { BackendName, BackendReason, FromWorker, Span, Stage, ToWorker } from '../messages';
import { Classifier } from './classifier';
import { detailOf, FailureError } from './failure-error';
import { type FirstPhoto, FirstRun } from './first-run';
import type { Incoming } from './incoming-files';
import { type LoadedModel, receiveModel, receiveWeights } from './model-loader';
import { Tagger } from './tagger';
import { startOther, startWasm } from './tfjs';
import { timed } from './timeline';

type StartOrder = Extract<ToWorker, { kind: 'start' }>;

/** What there is once the model has run. */
export interface Started {
  readonly tagger: Tagger;
  readonly classifier: Classifier;
  readonly files: LoadedModel;
}

/** What the worker has to say while the model is on its way. */
export interface StartEvents {
  /** The contract has come, long before the weights. */
  agreed(contract: Contract): void;
  /** Asked while the model comes for the photo to run it on first. */
  readonly firstPhoto: FirstPhoto;
}

/**
 * Receives the model while the backend starts, and runs it once.
 *
 * Each weight is unpacked and used while later ones are on their way, so that little is
 * left to do after the last of them.
 */
export async function start(
  order: StartOrder,
  incoming: Incoming,
  post: (message: FromWorker) => void,
  events: StartEvents,
): Promise<Started> {
  const report = (stage: Stage, span: Span): void => post({ kind: 'stage', stage, span });
  const backend = firstBackend(order);
  let first: FirstRun | undefined;

  const starting = timed('backend', report, () => startBackend(order, incoming));
  const agreeing = receiveModel(incoming, order.files.contract);
  const receiving = agreeing.then(([files, add]) => {
    events.agreed(files.contract);
    return timed('decode', report, () =>
      receiveWeights(incoming, order.files.weights, files.description, (weight) => {
        add(weight);
        first?.advance();
      }),
    );
  });
  const building = Promise.all([agreeing, starting]).then(async ([[files]]) => {
    const classifier = await Classifier.begin(backend, files);
    first = new FirstRun(classifier, files, events.firstPhoto);
    return { classifier, files, run: first };
  });
  const [{ classifier, files, run }] = await Promise.all([building, receiving]);
  const result = await timed('warm-up', report, () => run.finish());
  const tagger = new Tagger(
    files,
    classifier,
    order.simd,
    firstReason(order),
    (backendReport) => post({ kind: 'backend', report: backendReport }),
    result,
  );
  return { tagger, classifier, files };
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
    return order.backend.reason;
  }
  return { code: firstBackend(order) === 'wasm' ? 'first' : 'no-wasm' };
}

async function startBackend(order: StartOrder, incoming: Incoming): Promise<void> {
  const { files } = order;
  const backend = firstBackend(order);
  let isStarted: boolean;
  try {
    if (backend !== 'wasm') {
      isStarted = await startOther(backend);
    } else if (files.wasm !== null) {
      isStarted = await startWasm(await incoming.module(files.wasm));
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
}
