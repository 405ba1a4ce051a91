/** Sentences that are composed of several texts of the page's language. */

import type {
  BackendName,
  BackendReason,
  BackendReport,
  Failure,
  Refusal,
  WeightFault,
} from '../messages';
import { duration, points } from './number-format';
import { say } from './language';
import type { Drop } from './site-files';

/** What people call the backends. */
export const BACKEND_NAMES: Readonly<Record<BackendName, string>> = {
  wasm: 'WebAssembly',
  cpu: 'JavaScript',
  webgpu: 'WebGPU',
  webgl: 'WebGL',
};

/** Returns a backend's title, or its code if it is unknown. */
export function backendTitle(name: string): string {
  return name in BACKEND_NAMES ? BACKEND_NAMES[name as BackendName] : name;
}

/** Names the backend in use. */
export function backendName(report: BackendReport): string {
  return report.active === 'wasm' && report.simd
    ? 'WebAssembly SIMD'
    : BACKEND_NAMES[report.active];
}

/** Says why that backend is in use. */
export function backendReason(report: BackendReport): string {
  const reason: BackendReason = report.reason;
  switch (reason.code) {
    case 'first':
      return say('backendFirst');
    case 'forced':
      return say('backendForced');
    case 'chosen':
      return say('backendChosen');
    case 'chosen-missing':
      return say('backendChosenMissing', { chosen: BACKEND_NAMES[reason.chosen] });
    case 'chosen-failed':
      return say('backendChosenFailed', {
        chosen: BACKEND_NAMES[reason.chosen],
        detail: aside(reason.detail),
      });
    case 'no-wasm':
      return say('backendNoWasm');
    case 'no-gpu':
      return say('backendNoGpu');
    case 'software-renderer':
      return say('backendSoftware', { gpu: BACKEND_NAMES[reason.gpu] });
    case 'half-precision':
      return say('backendHalfPrecision', { gpu: BACKEND_NAMES[reason.gpu] });
    case 'other-answer':
      return say('backendOtherAnswer', { gpu: BACKEND_NAMES[reason.gpu] });
    case 'gpu-failed':
      return say('backendFailed', {
        backend: BACKEND_NAMES[reason.gpu],
        detail: aside(reason.detail),
      });
    case 'wasm-failed':
      return say('backendFailed', {
        backend: BACKEND_NAMES.wasm,
        detail: aside(reason.detail),
      });
    case 'measured':
    case 'remembered':
      return say(reason.code === 'measured' ? 'backendMeasured' : 'backendRemembered', {
        gpu: BACKEND_NAMES[reason.gpu],
        gpuTime: duration(reason.gpuMs),
        first: BACKEND_NAMES[reason.first],
        firstTime: duration(reason.firstMs),
      });
  }
}

/** A cause, which may be a sentence of its own, inside another sentence. */
function aside(detail: string): string {
  return detail.trim().replace(/\.$/, '');
}

/** Says what a model loses against the one that it was made from. */
export function dropSentence(drop: Drop | null): string {
  return drop
    ? say(drop.isCounted ? 'dropCounted' : 'dropExpected', {
        points: points(drop.points),
        low: points(drop.low),
        high: points(drop.high),
      })
    : say('dropUnknown');
}

/** Says in one sentence what failed. */
export function failureSentence(failure: Failure): string {
  switch (failure.code) {
    case 'network':
      return say('failedNetwork', { file: failure.file });
    case 'http':
      return say('failedHttp', { file: failure.file, status: failure.status });
    case 'html':
      return say('failedHtml', { file: failure.file });
    case 'damaged':
      return say('failedDamaged', { file: failure.file });
    case 'compression':
      return say('failedCompression', { file: failure.file, detail: failure.detail });
    case 'not-json':
      return say('failedNotJson', { file: failure.file });
    case 'length':
      return say('failedLength', {
        file: failure.file,
        received: failure.received,
        expected: failure.expected,
      });
    case 'contract': {
      const { file, fault } = failure;
      return fault.kind === 'schema'
        ? say('failedSchema', { file, found: fault.found, known: fault.known })
        : say('failedContract', { file, path: fault.path, expected: fault.expected });
    }
    case 'manifest':
      return say('failedManifest', { file: failure.file });
    case 'weight':
      return say('failedWeight', { weight: failure.weight, fault: weightFault(failure.fault) });
    case 'graph':
      return say('failedGraph', { file: failure.file, detail: failure.detail });
    case 'outputs':
      return say('failedOutputs', { found: failure.found, expected: failure.expected });
    case 'backend':
      return say('failedBackend', {
        backend: BACKEND_NAMES[failure.backend],
        detail: failure.detail,
      });
    case 'worker':
      return say('failedWorker', { detail: failure.detail });
    case 'old-browser':
      return say('failedOldBrowser');
  }
}

function weightFault(fault: WeightFault): string {
  switch (fault.kind) {
    case 'schema':
      return say('weightSchema', { found: fault.found, known: fault.known });
    case 'encoding':
      return say('weightEncoding', { found: fault.found });
    case 'scales':
      return say('weightScales', { most: fault.most });
    case 'dtype':
      return say('weightDtype', { found: fault.found });
    case 'channels':
      return say('weightChannels', { values: fault.values, found: fault.found });
    case 'index':
      return say('weightIndex', { index: fault.index, scales: fault.scales });
  }
}

/** Says why a photo cannot be tagged. */
export async function refusalSentence(file: Blob, refusal: Refusal): Promise<string> {
  if (refusal === 'altered-pixels') {
    return say('alteredPixels');
  }
  return import('./refusal-sentence').then(
    (why) => why.refusal(file),
    () => say('notAPicture'),
  );
}
