import type { Plugin } from 'vite';

const GLUE = /\/wasm-out\/tfjs-backend-wasm(-threaded-simd)?(\.worker)?\.js$/;
const STUB = '\0without-glue';

/**
 * Leaves out the code that Emscripten wrote around the WebAssembly.
 *
 * The backend imports it whether or not it is used. The page starts the binary by itself
 * (`src/worker/wasm-module.ts`), and never the one with threads.
 */
export function withoutGlue(): Plugin {
  return {
    name: 'toolchain:without-glue',
    enforce: 'pre',
    resolveId: (source) => (GLUE.test(source) ? STUB : null),
    load: (id) =>
      id === STUB
        ? {
            code: "export default null; export const wasmWorkerContents = '';",
            moduleSideEffects: false,
          }
        : null,
  };
}
