/** Finds out whether the graphics processor is the better backend on this machine. */

import {
  type BackendReason,
  type FirstBackend,
  GPU_BACKENDS,
  type GpuBackend,
  type Race,
} from '../messages';
import { alike } from './output-agreement';
import { Classifier } from './classifier';
import { detailOf } from './failure-error';
import { gpuObstacle } from './gpu-obstacle';
import type { LoadedModel } from './model-loader';
import { isPrecise, startOther, stop } from './tfjs';

const RUNS = 3;

/** What a trial found; `better` is there if it is the one to use. */
export interface TrialOutcome {
  readonly reason: BackendReason;
  readonly better?: Classifier;
}

/**
 * Tries the backends of the graphics processor until one is faster.
 *
 * Whatever goes wrong with them leaves the page on the first backend, with the reason.
 *
 * @param input - What they are compared on.
 * @param remembered - An earlier comparison; of what won it only the answer is looked at again.
 */
export async function tryGpus(
  first: Classifier,
  files: LoadedModel,
  input: Float32Array,
  remembered?: Race,
): Promise<TrialOutcome> {
  // With WebAssembly switched on or off since then, it says nothing.
  const known = remembered?.first === first.backend ? remembered : undefined;
  if (known && known.gpuMs >= known.firstMs) {
    return { reason: { ...known, code: 'remembered' } };
  }
  const gpus = known
    ? [known.gpu, ...GPU_BACKENDS.filter((gpu) => gpu !== known.gpu)]
    : GPU_BACKENDS;
  let outcome: TrialOutcome = { reason: { code: 'no-gpu' } };
  for (const gpu of gpus) {
    const next = await tryGpu(gpu, first, files, input, gpu === known?.gpu ? known : undefined);
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
  files: LoadedModel,
  input: Float32Array,
  remembered?: Race,
): Promise<TrialOutcome> {
  let rival: Classifier | undefined;
  let isBetter = false;
  try {
    const obstacle = await gpuObstacle(gpu);
    if (obstacle) {
      return { reason: obstacle };
    }
    if (!(await startOther(gpu))) {
      throw new Error('it did not start');
    }
    if (!isPrecise(gpu)) {
      return { reason: { code: 'half-precision', gpu } };
    }
    rival = await Classifier.load(gpu, files);
    // This first run also compiles what the backend compiles lazily.
    if (!alike((await first.run(input)).outputs, (await rival.run(input)).outputs)) {
      return { reason: { code: 'other-answer', gpu } };
    }
    if (remembered) {
      isBetter = true;
      return { reason: { ...remembered, code: 'remembered' }, better: rival };
    }
    const firstMs = await fastestRun(first, input);
    const gpuMs = await fastestRun(rival, input);
    const reason: BackendReason = {
      code: 'measured',
      first: first.backend as FirstBackend,
      firstMs,
      gpu,
      gpuMs,
    };
    isBetter = gpuMs < firstMs;
    return isBetter ? { reason, better: rival } : { reason };
  } catch (error) {
    return { reason: { code: 'gpu-failed', gpu, detail: detailOf(error) } };
  } finally {
    if (!isBetter) {
      rival?.dispose();
      stop(gpu);
    }
  }
}

/** Returns the milliseconds of the fastest of some runs. */
async function fastestRun(classifier: Classifier, input: Float32Array): Promise<number> {
  let fastest = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const begin = performance.now();
    await classifier.run(input);
    fastest = Math.min(fastest, performance.now() - begin);
  }
  return fastest;
}
