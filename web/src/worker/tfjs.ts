/**
 * The only module that imports TF.js.
 *
 * What the page carries of it is decided here and nowhere else, so that a build that
 * leaves out what a model does not need has one place to replace.
 */

import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { enableProdMode, env, findBackend, setBackend } from '@tensorflow/tfjs-core';
import type { BackendName } from '../messages';
import type { WasmFile } from './wasm-file';

export { loadGraphModel, type GraphModel } from '@tensorflow/tfjs-converter';
export { memory, tensor4d, type io, type Tensor } from '@tensorflow/tfjs-core';

enableProdMode();

/** Makes a backend the one that computes, starting it if it has not been started. */
export async function use(backend: BackendName): Promise<boolean> {
  return setBackend(backend);
}

/** Starts the WebAssembly backend from a file that has been fetched. */
export async function startWasm({ simd, bytes }: WasmFile): Promise<boolean> {
  env().set('WASM_HAS_SIMD_SUPPORT', simd);
  // Threads need a cross-origin isolated page, which a static host seldom serves; their
  // glue code is left out of the bundle (build/without-threads.ts).
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  // TF.js wants an address. Giving it the bytes as a blob lets them be fetched while its
  // own code still loads, and makes the file's type right whatever the server says.
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/wasm' }));
  setWasmPaths({
    'tfjs-backend-wasm.wasm': url,
    'tfjs-backend-wasm-simd.wasm': url,
    'tfjs-backend-wasm-threaded-simd.wasm': url,
  });
  try {
    return await use('wasm');
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Loads the WebGL backend, whose code is a file of its own, and starts it. */
export async function startWebgl(): Promise<boolean> {
  await import('@tensorflow/tfjs-backend-webgl');
  return use('webgl');
}

/** Says whether WebGL computes with 32-bit floats here; some phones have only 16 bits. */
export function webglIsPrecise(): boolean {
  return env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');
}

/** Says whether the browser took the graphics processor away: WebGL then reads as zeros. */
export function webglIsLost(): boolean {
  const backend = findBackend('webgl') as MathBackendWebGL | null;
  return backend?.gpgpu.gl.isContextLost() ?? true;
}
