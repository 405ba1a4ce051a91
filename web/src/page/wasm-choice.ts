/** Chooses the WebAssembly that fits this browser. */

import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';

import { HAS_SIMD, HAS_WASM } from './simd-support';

/** The address of the file that fits: with vector instructions, without, or none. */
export const WASM_URL = HAS_WASM ? new URL(HAS_SIMD ? simd : plain, import.meta.url).href : null;
