/** What this browser's WebAssembly can do. */

/** The smallest module with a vector in it: a function that returns `i8x16.splat(0)`. */
// prettier-ignore
const VECTOR_MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic number and version
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, // types: () -> v128
  0x03, 0x02, 0x01, 0x00, // functions: one of that type
  0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x0b, // code: i32.const 0, splat, end
]);

/** Says whether there is any: some browsers take it away where the visitor wants to be safe. */
export const HAS_WASM = typeof WebAssembly !== 'undefined';

/** Says whether this browser's WebAssembly has vector instructions. */
export const HAS_SIMD = HAS_WASM && WebAssembly.validate(VECTOR_MODULE);
