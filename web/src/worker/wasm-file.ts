/** The WebAssembly, as the page has fetched it. */

/** A fetched WebAssembly file. */
export interface WasmFile {
  /** Whether it is the one with vector instructions. */
  readonly simd: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}
