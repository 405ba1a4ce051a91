/**
 * Starts TF.js' WebAssembly.
 *
 * Stands in for the 45 kB of code that Emscripten writes for every program and surrounding:
 * this one needs memory that grows, a way to call functions, and a voice for its warnings.
 */

import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm/dist/backend_wasm';

/** What the WebAssembly backend calls. */
type WasmModule = ConstructorParameters<typeof BackendWasm>[0];

/** What the binary exports besides its kernels, under the names of its source. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly __wasm_call_ctors: () => void;
  readonly malloc: (bytes: number) => number;
  readonly free: (address: number) => void;
  readonly stackSave: () => number;
  readonly stackAlloc: (bytes: number) => number;
  readonly stackRestore: (address: number) => void;
  readonly [kernel: string]: unknown;
}

type Numeric = (...values: number[]) => number;

/** What WASI answers for a call that is not there. */
const NOT_IMPLEMENTED = 52;
const PAGE_BYTES = 65_536;
/** As much as 32 bits address, less one page, so that no end is at zero. */
const MOST_BYTES = 2 ** 32 - PAGE_BYTES;

/** Starts the compiled binary; returns what TF.js' backend is made of. */
export async function startModule(compiled: WebAssembly.Module): Promise<WasmModule> {
  const instance = await WebAssembly.instantiate(
    compiled,
    imports(() => wasm),
  );
  const wasm = instance.exports as unknown as Exports;
  wasm.__wasm_call_ctors();

  let heap = new Uint8Array(wasm.memory.buffer);
  const cwrap = (name: string, _returns: unknown, types: readonly string[]): Numeric =>
    wrapped(wasm, name, types, () => module.HEAPU8);
  const module = {
    // Growing the memory takes away the buffer that views were made of.
    get HEAPU8() {
      return heap.byteLength > 0 ? heap : (heap = new Uint8Array(wasm.memory.buffer));
    },
    _malloc: wasm.malloc,
    _free: wasm.free,
    cwrap,
    tfjs: {
      init: () => undefined,
      initWithThreadsCount: cwrap('init_with_threads_count', null, []),
      getThreadsCount: cwrap('get_threads_count', null, []),
      registerTensor: cwrap('register_tensor', null, []),
      disposeData: cwrap('dispose_data', null, []),
      dispose: cwrap('dispose', null, []),
    },
  };
  return module;
}

/**
 * Returns a function of the binary.
 *
 * An `array` is bytes, which lie on the program's stack while it runs.
 *
 * @throws if the binary has no such function.
 */
function wrapped(
  wasm: Exports,
  name: string,
  types: readonly string[],
  heap: () => Uint8Array,
): Numeric {
  const run = wasm[name] as Numeric | undefined;
  if (!run) {
    throw new Error(`the WebAssembly has no ${name}`);
  }
  if (!types.includes('array')) {
    return run;
  }
  return (...values: (number | Uint8Array)[]) => {
    const stack = wasm.stackSave();
    const numbers = values.map((value) => {
      if (typeof value !== 'object') {
        return value;
      }
      const address = wasm.stackAlloc(value.length);
      heap().set(value, address);
      return address;
    });
    try {
      return run(...numbers);
    } finally {
      wasm.stackRestore(stack);
    }
  };
}

/** Returns what the binary calls. */
function imports(exports: () => Exports): WebAssembly.Imports {
  return {
    env: {
      abort: () => {
        throw new WebAssembly.RuntimeError('the WebAssembly gave up');
      },
      emscripten_get_heap_max: () => MOST_BYTES,
      emscripten_memcpy_big: (to: number, from: number, bytes: number) => {
        new Uint8Array(exports().memory.buffer).copyWithin(
          to >>> 0,
          from >>> 0,
          (from >>> 0) + (bytes >>> 0),
        );
      },
      emscripten_resize_heap: (wanted: number) => grow(exports().memory, wanted >>> 0),
    },
    wasi_snapshot_preview1: {
      fd_close: () => NOT_IMPLEMENTED,
      fd_seek: () => NOT_IMPLEMENTED,
      fd_write: (_file: number, pieces: number, count: number, written: number) =>
        warn(exports().memory, pieces, count, written),
    },
  };
}

/**
 * Makes the memory somewhat larger than wanted, so that it need not grow often.
 *
 * @throws where there is no more: the program would go on with addresses that are none.
 */
function grow(memory: WebAssembly.Memory, wanted: number): number {
  const present = memory.buffer.byteLength;
  for (const bytes of [Math.max(wanted, present * 1.2), wanted]) {
    try {
      memory.grow(Math.ceil((Math.min(bytes, MOST_BYTES) - present) / PAGE_BYTES));
      return 1;
    } catch {
      // So much is not to be had.
    }
  }
  throw new WebAssembly.RuntimeError('the browser has no more memory for it');
}

/** Logs what the program writes, a list of (address, length), and returns its length. */
function warn(memory: WebAssembly.Memory, pieces: number, count: number, written: number): number {
  const view = new DataView(memory.buffer);
  let total = 0;
  let text = '';
  for (let piece = pieces; piece < pieces + count * 8; piece += 8) {
    const length = view.getUint32(piece + 4, true);
    text += new TextDecoder().decode(
      new Uint8Array(memory.buffer, view.getUint32(piece, true), length),
    );
    total += length;
  }
  if (text.trim()) {
    console.warn(text.trim());
  }
  view.setUint32(written, total, true);
  return 0;
}
