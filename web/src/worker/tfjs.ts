/**
 * The only module that imports TF.js.
 *
 * It names the parts that a page needs, past the packages' entries: those bring all of TF.js
 * along. Which operations and kernels come with them is for the build to say (`build/tfjs.ts`).
 */

import '@tensorflow/tfjs-backend-wasm/dist/register_all_kernels';
import { BackendWasm } from '@tensorflow/tfjs-backend-wasm/dist/backend_wasm';
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import '@tensorflow/tfjs-converter/dist/flags';
import {
  enableProdMode,
  env,
  findBackend,
  findBackendFactory,
  getBackend,
  registerBackend,
  removeBackend,
  setBackend,
  type Tensor,
} from '@tensorflow/tfjs-core';
import type { BackendName } from '../messages';
import { startModule } from './wasm-module';

export { GraphExecutor } from '@tensorflow/tfjs-converter/dist/executor/graph_executor';
export { OperationMapper } from '@tensorflow/tfjs-converter/dist/operations/operation_mapper';
export { io, memory, tensor, tensor4d } from '@tensorflow/tfjs-core';
export type { Tensor };

enableProdMode();

/** Makes a backend the one that computes, starting it if it has not been started. */
export async function use(backend: BackendName): Promise<boolean> {
  return setBackend(backend);
}

/** Starts the WebAssembly backend from its compiled file. */
export async function startWasm(compiled: WebAssembly.Module): Promise<boolean> {
  const module = await startModule(compiled);
  registerBackend('wasm', () => new BackendWasm(module));
  return use('wasm');
}

/** Loads another backend, whose code is a file of its own, and starts it. */
export async function startOther(backend: Exclude<BackendName, 'wasm'>): Promise<boolean> {
  switch (backend) {
    case 'cpu':
      await import('@tensorflow/tfjs-backend-cpu');
      return use(backend);
    case 'webgl':
      await import('@tensorflow/tfjs-backend-webgl');
      return use(backend);
    case 'webgpu': {
      await import('@tensorflow/tfjs-backend-webgpu');
      const isStarted = await use(backend);
      if (isStarted) {
        const { device } = findBackend(backend) as WebGPUBackend;
        void device.lost.then(() => (isDeviceLost = true));
      }
      return isStarted;
    }
  }
}

/** Frees what a backend holds, if it was started; it cannot be started again. */
export function stop(backend: BackendName): void {
  if (findBackendFactory(backend)) {
    removeBackend(backend);
  }
}

let isDeviceLost = false;

/** Says whether a backend computes with 32-bit floats here; WebGL on some phones has only 16. */
export function isPrecise(backend: BackendName): boolean {
  return backend !== 'webgl' || env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');
}

/**
 * Returns the floats of a tensor on the current backend.
 *
 * @throws if the browser took the graphics processor away.
 */
export async function valuesOf(tensor: Tensor): Promise<Float32Array> {
  const backend = getBackend() as BackendName;
  // A worker may block; TF.js' asynchronous read never ends on a lost WebGL context.
  const values = backend === 'webgpu' ? await tensor.data() : tensor.dataSync();
  if (isLost(backend)) {
    // They are zeros.
    throw new Error('the browser took the graphics processor away');
  }
  return values as Float32Array;
}

function isLost(backend: BackendName): boolean {
  switch (backend) {
    case 'wasm':
    case 'cpu':
      return false;
    case 'webgl':
      return (findBackend(backend) as MathBackendWebGL).gpgpu.gl.isContextLost();
    case 'webgpu':
      return isDeviceLost;
  }
}
