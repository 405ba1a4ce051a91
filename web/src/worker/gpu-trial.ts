/** Finds out whether the graphics processor is the better backend on this machine. */

import {
  type BackendReason,
  type FirstBackend,
  GPU_BACKENDS,
  type GpuBackend,
  type Race,
} from '../messages';
import { alike } from './agreement';
import { Classifier } from './classifier';
import { detailOf } from './failure-error';
import { gpuObstacle } from './gpu-obstacle';
import type { ModelFiles } from './model-files';
import { isPrecise, startOther } from './tfjs';

const RUNS = 3;

/** What a trial found; `better` is there if it is the one to use. */
export interface TrialOutcome {
  readonly reason: BackendReason;
  readonly better?: Classifier;
}

/**
 * Tries the backends of the graphics processor until one is faster, or takes an earlier
 * comparison's word.
 *
 * Whatever goes wrong with them leaves the page on the first backend, with the reason.
 */
export async function tryGpus(
  first: Classifier,
  files: ModelFiles,
  input: Float32Array,
  remembered?: Race,
): Promise<TrialOutcome> {
  if (remembered) {
    return tryGpu(remembered.gpu, first, files, input, remembered);
  }
  let outcome: TrialOutcome = { reason: { code: 'no-gpu' } };
  for (const gpu of GPU_BACKENDS) {
    const next = await tryGpu(gpu, first, files, input);
    if (next.better) {
      return next;
    }
    // A backend that was slower says more than one that is not there.
    if (outcome.reason.code !== 'measured' && next.reason.code !== 'no-gpu') {
      outcome = next;
    }
  }
  return outcome;
}

async function tryGpu(
  gpu: GpuBackend,
  first: Classifier,
  files: ModelFiles,
  input: Float32Array,
  remembered?: Race,
): Promise<TrialOutcome> {
  let rival: Classifier | undefined;
  try {
    const obstacle = await gpuObstacle(gpu);
    if (obstacle) {
      return { reason: obstacle };
    }
    if (remembered && remembered.gpuMs >= remembered.firstMs) {
      return { reason: { ...remembered, code: 'remembered' } };
    }
    rival = await loadOn(gpu, files);
    if (!isPrecise(gpu)) {
      rival.dispose();
      return { reason: { code: 'half-precision', gpu } };
    }
    if (!alike(await first.run(input), await rival.run(input))) {
      rival.dispose();
      return { reason: { code: 'other-answer', gpu } };
    }
    if (remembered) {
      return { reason: { ...remembered, code: 'remembered' }, better: rival };
    }
    const firstMs = await fastestRun(first, input);
    const gpuMs = await fastestRun(rival, input);
    const race: Race = { first: first.backend as FirstBackend, firstMs, gpu, gpuMs };
    if (gpuMs < firstMs) {
      return { reason: { ...race, code: 'measured' }, better: rival };
    }
    rival.dispose();
    return { reason: { ...race, code: 'measured' } };
  } catch (error) {
    rival?.dispose();
    return { reason: { code: 'gpu-failed', gpu, detail: detailOf(error) } };
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

async function loadOn(gpu: GpuBackend, files: ModelFiles): Promise<Classifier> {
  if (!(await startOther(gpu))) {
    throw new Error('it did not start');
  }
  const classifier = await Classifier.load(gpu, files);
  await classifier.warmUp();
  return classifier;
}
