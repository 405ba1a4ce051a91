import type { Plugin } from 'vite';

const THREADED = /\/wasm-out\/tfjs-backend-wasm-threaded-simd(\.worker)?\.js$/;
const STUB = '\0without-threads';

/**
 * Leaves the glue code of the threaded WebAssembly out of the bundle.
 *
 * The wasm backend imports it whether or not it is used, and the worker turns threads off
 * (`src/worker/tfjs.ts`), so 60 kB would travel for nothing.
 */
export function withoutThreads(): Plugin {
  return {
    name: 'toolchain:without-threads',
    enforce: 'pre',
    resolveId: (source) => (THREADED.test(source) ? STUB : null),
    load: (id) =>
      id === STUB
        ? 'export default () => { throw new Error("threads are left out"); };\n' +
          'export const wasmWorkerContents = "";\n'
        : null,
  };
}
