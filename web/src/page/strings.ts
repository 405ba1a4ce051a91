/** Every sentence that the page's code shows. The template holds those that never change. */

import type { BackendName, BackendReason, BackendReport, Failure, WeightFault } from '../messages';
import { duration, megabytes, percent } from './format';

export const STRINGS = {
  loadingModel: 'Loading the model…',
  preparing: 'Preparing the model…',
  ready: 'Ready. Choose a photo.',
  tagging: 'Looking at the photo…',
  previewing: 'By the small model; the full one is loading…',
  previewingReady: 'By the small model; the full one is being prepared…',
  upgraded: 'Now by the full model.',
  startingBackend: 'starting…',
  fromCache: 'from cache',
  unnamedPhoto: 'The photo you gave',
  notAPicture: 'This file is not a picture that your browser can read. Try a JPEG, PNG or WebP.',
  noFileDropped: 'That was not a file. Save the picture to your computer, then drop it here.',
} as const;

/** Says how far the download of the model's weights is. */
export function downloadProgress(receivedBytes: number, totalBytes: number): string {
  return `${megabytes(receivedBytes)} of ${megabytes(totalBytes)}`;
}

/** Says how long one photo took. */
export function taggedIn(inferenceMs: number, preprocessMs: number): string {
  return `Tagged in ${duration(inferenceMs)}, after ${duration(preprocessMs)} of scaling.`;
}

/** Names a tag for those who hear it. */
export function tagSpoken(label: string, score: number): string {
  return `${label}, ${percent(score)}`;
}

/** Says that a sample photo could not be fetched. */
export function sampleFailed(name: string): string {
  return `The sample photo “${name}” could not be loaded.`;
}

const BACKEND_NAMES: Readonly<Record<BackendName, string>> = {
  wasm: 'WebAssembly',
  cpu: 'JavaScript',
  webgpu: 'WebGPU',
  webgl: 'WebGL',
};

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
      return 'it starts fastest; the graphics processor is tried after the first photo';
    case 'forced':
      return 'the page’s address asks for it';
    case 'chosen':
      return 'you chose it';
    case 'chosen-missing':
      return `this browser does not offer ${BACKEND_NAMES[reason.chosen]}, which you chose`;
    case 'chosen-failed':
      return `${BACKEND_NAMES[reason.chosen]}, which you chose, did not work here (${aside(reason.detail)})`;
    case 'no-wasm':
      return 'this browser offers no WebAssembly';
    case 'no-gpu':
      return 'this browser offers neither WebGPU nor WebGL 2';
    case 'software-renderer':
      return `${BACKEND_NAMES[reason.gpu]} would run in software here, without a graphics processor`;
    case 'half-precision':
      return `${BACKEND_NAMES[reason.gpu]} computes with too few digits here`;
    case 'other-answer':
      return `${BACKEND_NAMES[reason.gpu]} gave another answer here`;
    case 'gpu-failed':
      return `${BACKEND_NAMES[reason.gpu]} did not work here (${aside(reason.detail)})`;
    case 'measured':
    case 'remembered': {
      const race =
        `${BACKEND_NAMES[reason.gpu]} takes ${duration(reason.gpuMs)}, ` +
        `${BACKEND_NAMES[reason.first]} ${duration(reason.firstMs)}`;
      return reason.code === 'measured' ? race : `${race}, as measured on an earlier visit`;
    }
  }
}

/** A cause, which may be a sentence of its own, inside another sentence. */
function aside(detail: string): string {
  return detail.trim().replace(/\.$/, '');
}

/** Says in one sentence what failed. */
export function failureSentence(failure: Failure): string {
  switch (failure.code) {
    case 'network':
      return `${failure.file} could not be loaded: the connection failed.`;
    case 'http':
      return `${failure.file} could not be loaded: the server answered with status ${failure.status}.`;
    case 'html':
      return `${failure.file} could not be loaded: the server sent a web page in its place.`;
    case 'compression':
      return `${failure.file} is damaged: it cannot be decompressed (${failure.detail}).`;
    case 'not-json':
      return `${failure.file} is damaged: it is not valid JSON.`;
    case 'length':
      return `${failure.file} is damaged: it has ${failure.received} bytes instead of ${failure.expected}.`;
    case 'contract':
      return failure.fault.kind === 'schema'
        ? `${failure.file} has schema ${failure.fault.found}, but this page understands only schema ${failure.fault.known}.`
        : `${failure.file} is damaged: ${failure.fault.path} should be ${failure.fault.expected}.`;
    case 'manifest':
      return `${failure.file} is not a TensorFlow.js graph model.`;
    case 'weight':
      return `The weight “${failure.weight}” cannot be unpacked: ${weightFault(failure.fault)}.`;
    case 'graph':
      return `The model in ${failure.file} cannot run here: ${failure.detail}`;
    case 'outputs':
      return `The model has ${failure.found} outputs, but its labels speak of ${failure.expected}.`;
    case 'backend':
      return `${BACKEND_NAMES[failure.backend]} cannot be used in this browser: ${failure.detail}`;
    case 'worker':
      return `Something went wrong while tagging: ${failure.detail}`;
  }
}

function weightFault(fault: WeightFault): string {
  switch (fault.kind) {
    case 'schema':
      return `its packing has schema ${fault.found}, but this page understands only schema ${fault.known}`;
    case 'encoding':
      return `its files are compressed as ${fault.found}, which this page cannot read`;
    case 'scales':
      return `the scales should be a list of at most ${fault.most} positive numbers`;
    case 'dtype':
      return `${fault.found} is no dtype that this page can unpack`;
    case 'channels':
      return `its ${fault.values} values cannot be divided among channels of which the number is ${fault.found}`;
    case 'index':
      return `it asks for scale ${fault.index}, counted from 0, of only ${fault.scales}`;
  }
}
