/** Finds out whether WebGL is the better backend on this machine. */

import type { BackendReason, RememberedChoice } from '../messages';
import { alike } from './agreement';
import { Classifier } from './classifier';
import { detailOf } from './failure-error';
import type { ModelFiles } from './model-files';
import { startWebgl, webglIsPrecise } from './tfjs';
import { webglObstacle } from './webgl-renderer';

const RUNS = 3;

/** What a trial found; `webgl` is there if it is the one to use. */
export interface TrialOutcome {
  readonly reason: BackendReason;
  readonly webgl?: Classifier;
  /** There if both were timed, which is worth remembering. */
  readonly choice?: RememberedChoice;
}

/**
 * Compares both backends on the same input, or takes an earlier comparison's word.
 *
 * Whatever goes wrong with WebGL leaves the page on WebAssembly, with the reason.
 */
export async function tryWebgl(
  wasm: Classifier,
  files: ModelFiles,
  input: Float32Array,
  remembered?: RememberedChoice,
): Promise<TrialOutcome> {
  const obstacle = webglObstacle();
  if (obstacle) {
    return { reason: obstacle };
  }
  if (remembered?.backend === 'wasm') {
    return { reason: { ...remembered, code: 'remembered' } };
  }
  let webgl: Classifier | undefined;
  try {
    webgl = await loadOnWebgl(files);
    if (!webglIsPrecise()) {
      webgl.dispose();
      return { reason: { code: 'half-precision' } };
    }
    if (!alike(await wasm.run(input), await webgl.run(input))) {
      webgl.dispose();
      return { reason: { code: 'other-answer' } };
    }
    if (remembered) {
      return { reason: { ...remembered, code: 'remembered' }, webgl };
    }
    const wasmMs = await fastestRun(wasm, input);
    const webglMs = await fastestRun(webgl, input);
    const backend = webglMs < wasmMs ? 'webgl' : 'wasm';
    const outcome = {
      reason: { code: 'measured', wasmMs, webglMs },
      choice: { backend, wasmMs, webglMs },
    } as const;
    if (backend === 'webgl') {
      return { ...outcome, webgl };
    }
    webgl.dispose();
    return outcome;
  } catch (error) {
    webgl?.dispose();
    return { reason: { code: 'webgl-failed', detail: detailOf(error) } };
  }
}

async function fastestRun(classifier: Classifier, input: Float32Array): Promise<number> {
  let fastest = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const begin = performance.now();
    await classifier.run(input);
    fastest = Math.min(fastest, performance.now() - begin);
  }
  return fastest;
}

async function loadOnWebgl(files: ModelFiles): Promise<Classifier> {
  if (!(await startWebgl())) {
    throw new Error('it did not start');
  }
  const webgl = await Classifier.load('webgl', files);
  await webgl.warmUp();
  return webgl;
}
