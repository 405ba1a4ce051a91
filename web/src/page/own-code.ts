/** The code that came with this page, which its workers run. */

import workerUrl from '../worker/main.ts?worker&url';
import { siteDigests } from './site-digests';
import { WASM_URL } from './wasm-choice';
import type { WorkerCode } from './worker-client';

/** The address of the worker's script. */
export const WORKER_URL = new URL(workerUrl, import.meta.url).href;

/** Returns the page's own code; the document says its digests. */
export function ownCode(): WorkerCode {
  return { script: WORKER_URL, wasm: WASM_URL, digests: siteDigests() };
}
