import { join } from 'node:path';

import { build, type Plugin, type Rolldown } from 'vite';

import { converterTables } from './converter-tables.ts';
import { inferenceOnly } from './inference-only.ts';
import { kernelsOf, onlyKernels } from './kernels.ts';
import { packageFolder } from './packages.ts';
import { withoutGlue } from './without-glue.ts';

const WASM = 'tfjs-backend-wasm';
const WORKER = 'src/worker/main.ts';
const OTHERS = ['tfjs-backend-cpu', 'tfjs-backend-webgl', 'tfjs-backend-webgpu'];
const KERNEL_NAMES = /\/tfjs-core\/dist\/kernel_names\.js$/;
const WASM_KERNEL = /\/tfjs-backend-wasm\/dist\/kernels\/(\w+)\.js$/;

/** Only weights of complex numbers need it, which the WebAssembly backend never had. */
const NEVER_CALLED = 'Complex';

/** What the operations of a graph come down to. */
export interface Reach {
  readonly ops: ReadonlySet<string>;
  /** Names of TF.js' kernels, the same on every backend. */
  readonly kernels: ReadonlySet<string>;
  /** Names of the functions that the kernels call in the WebAssembly. */
  readonly wasmFunctions: ReadonlySet<string>;
}

/**
 * Follows operations through TF.js' own code down to the kernels.
 *
 * Nothing here says which operation needs which kernel: a bundle of the page's code for
 * these operations is made, and the names of kernels that are left in it are those called.
 *
 * @param partly - Whether to pass over kernels that a backend has not.
 * @throws if TF.js has no such operation, or not on every backend.
 */
export async function reach(ops: ReadonlySet<string>, partly = false): Promise<Reach> {
  const called = await calledKernels(ops);
  for (const backend of partly ? [] : [WASM, ...OTHERS]) {
    const available = kernelsOf(backend);
    const missing = [...called].filter((name) => !available.has(name));
    if (missing.length > 0) {
      throw new Error(`${backend} has no kernel ${missing.join(', ')}`);
    }
  }
  const { kernels, wasmFunctions } = await setUpKernels(called);
  return { ops, kernels, wasmFunctions };
}

/** The plugins that make TF.js as small as that. */
export function reduced({ ops, kernels }: Pick<Reach, 'ops' | 'kernels'>): Plugin[] {
  return [withoutGlue(), converterTables(ops), onlyKernels(kernels), inferenceOnly()];
}

/**
 * Returns the names of the kernels that TF.js' operations call, whether or not a backend has them.
 *
 * Kernels that only other kernels call are not among them.
 *
 * @throws if TF.js has no such operation.
 */
export async function calledKernels(ops: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const chunk = await bundled(WORKER, reduced({ ops, kernels: new Set() }));
  const names = Object.entries(chunk.modules).find(([id]) => KERNEL_NAMES.test(id));
  return new Set(names?.[1].renderedExports.filter((name) => name !== NEVER_CALLED));
}

/**
 * Adds the kernels that other kernels call, and asks all of them for their functions.
 *
 * A kernel gets its functions when it is registered. One that calls another's code without
 * its being registered finds none.
 */
async function setUpKernels(
  called: ReadonlySet<string>,
): Promise<Pick<Reach, 'kernels' | 'wasmFunctions'>> {
  const entry = join(packageFolder(`@tensorflow/${WASM}`), 'dist/register_all_kernels.js');
  const files = new Map([...kernelsOf(WASM)].map(([name, { file }]) => [file, name]));
  const kernels = new Set(called);
  for (;;) {
    const before = kernels.size;
    const chunk = await bundled(entry, [onlyKernels(kernels, true), inferenceOnly()]);
    for (const id of chunk.moduleIds) {
      const name = files.get(WASM_KERNEL.exec(id)?.[1] ?? '');
      if (name) {
        kernels.add(name);
      }
    }
    if (kernels.size === before) {
      return { kernels, wasmFunctions: await functionsOf(chunk.code) };
    }
  }
}

interface KernelConfig {
  readonly setupFunc?: (backend: unknown) => void;
}

/** Imports a bundle of kernels, and sets them up on a backend that only listens. */
async function functionsOf(code: string): Promise<ReadonlySet<string>> {
  const url = `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
  const { kernelConfigs } = (await import(url)) as { kernelConfigs: readonly KernelConfig[] };
  const names = new Set<string>();
  const cwrap = (name: string): (() => void) => {
    names.add(name);
    return () => undefined;
  };
  kernelConfigs.forEach(({ setupFunc }) => setupFunc?.({ wasm: { cwrap } }));
  return names;
}

/** Bundles a file with all that it uses, as it is written. */
async function bundled(input: string, plugins: Plugin[]): Promise<Rolldown.OutputChunk> {
  const result = (await build({
    configFile: false,
    logLevel: 'error',
    plugins,
    build: {
      write: false,
      minify: false,
      target: 'esnext',
      assetsInlineLimit: 0,
      rolldownOptions: {
        input,
        external: OTHERS.map((backend) => `@tensorflow/${backend}`),
        preserveEntrySignatures: 'strict',
        // A name that became a text could not be told from other texts.
        optimization: { inlineConst: false },
      },
    },
  })) as Rolldown.RolldownOutput;
  const entry = result.output.find((output) => output.type === 'chunk' && output.isEntry);
  if (entry?.type !== 'chunk') {
    throw new Error(`no bundle came of ${input}`);
  }
  return entry;
}
