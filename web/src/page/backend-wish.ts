/** Decides what the worker is asked to run on: the address first, then an earlier visit. */

import { type BackendName, type BackendWish, GPU_BACKENDS, type Race } from '../messages';

const PARAMETER = 'backend';
const BACKENDS: readonly BackendName[] = ['wasm', 'cpu', ...GPU_BACKENDS];

/** What is kept of a comparison. */
interface Stored extends Race {
  /** A new browser or another model may turn the result around. */
  readonly browser: string;
  readonly contract: string;
}

/** Returns what the address or an earlier visit says. */
export function backendWish(search: string, contract: string, storageKey: string): BackendWish {
  const asked = new URLSearchParams(search).get(PARAMETER);
  const forced = BACKENDS.find((backend) => backend === asked);
  if (forced) {
    return { kind: 'forced', backend: forced };
  }
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(storageKey) ?? 'null');
    if (
      isStored(stored) &&
      stored.browser === navigator.userAgent &&
      stored.contract === contract
    ) {
      const { first, firstMs, gpu, gpuMs } = stored;
      return { kind: 'remembered', race: { first, firstMs, gpu, gpuMs } };
    }
  } catch {
    // No storage, or something else in it: compare anew.
  }
  return { kind: 'compare' };
}

/** Keeps the result of a comparison for the next visit, where the browser lets it. */
export function rememberRace(race: Race, contract: string, storageKey: string): void {
  const stored: Stored = { ...race, contract, browser: navigator.userAgent };
  try {
    localStorage.setItem(storageKey, JSON.stringify(stored));
  } catch {
    // Private windows may refuse; the next visit compares anew.
  }
}

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const { first, firstMs, gpu, gpuMs } = value as Partial<Stored>;
  return (
    (first === 'wasm' || first === 'cpu') &&
    GPU_BACKENDS.some((backend) => backend === gpu) &&
    typeof firstMs === 'number' &&
    typeof gpuMs === 'number'
  );
}
