import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import binaryen from 'binaryen';
import type { Plugin } from 'vite';

import { packageFolder } from './packages.ts';

const BINARY = /^@tensorflow\/tfjs-backend-wasm\/dist\/([\w-]+\.wasm)\?url$/;

/** What `src/worker/wasm-module.ts` and the backend itself call. */
const BY_ALL = [
  'memory',
  '__wasm_call_ctors',
  'malloc',
  'free',
  'stackSave',
  'stackAlloc',
  'stackRestore',
  'init_with_threads_count',
  'get_threads_count',
  'register_tensor',
  'dispose_data',
  'dispose',
];

/**
 * Takes out of the WebAssembly what the named functions do not lead to.
 *
 * @param folder - Where the smaller files may lie while Vite copies them.
 */
export function trimmedWasm(functions: ReadonlySet<string>, folder: string): Plugin {
  return {
    name: 'toolchain:trimmed-wasm',
    enforce: 'pre',
    resolveId(source) {
      const file = BINARY.exec(source)?.[1];
      if (file === undefined) {
        return null;
      }
      const original = join(packageFolder('@tensorflow/tfjs-backend-wasm'), 'dist', file);
      mkdirSync(folder, { recursive: true });
      const path = join(folder, basename(file));
      writeFileSync(path, trimmed(readFileSync(original), new Set([...BY_ALL, ...functions])));
      return `${path}?url`;
    },
  };
}

/**
 * Returns a binary that exports only these names.
 *
 * What is left stays as Emscripten compiled it, so it is as fast. A function whose address
 * is taken stays too, because its callers are unknown.
 *
 * @throws if the binary lacks one of them.
 */
function trimmed(binary: Uint8Array, names: ReadonlySet<string>): Uint8Array {
  const module = binaryen.readBinary(binary);
  try {
    const missing = new Set(names);
    for (let index = module.getNumExports() - 1; index >= 0; index--) {
      const { name } = binaryen.getExportInfo(module.getExportByIndex(index));
      if (!missing.delete(name)) {
        module.removeExport(name);
      }
    }
    if (missing.size > 0) {
      throw new Error(`TF.js' WebAssembly has no ${[...missing].join(', ')}`);
    }
    module.runPasses(['remove-unused-module-elements']);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}
