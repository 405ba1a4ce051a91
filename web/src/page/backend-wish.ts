/** Decides what the worker is asked to run on: the address first, then an earlier visit. */

import type { BackendWish, RememberedChoice } from '../messages';

const PARAMETER = 'backend';

/** What is kept of a comparison. */
interface Stored extends RememberedChoice {
  /** A new browser or another model may turn the result around. */
  readonly browser: string;
  readonly contract: string;
}

/** Returns what the address or an earlier visit says. */
export function backendWish(search: string, contract: string, storageKey: string): BackendWish {
  const forced = new URLSearchParams(search).get(PARAMETER);
  if (forced === 'wasm' || forced === 'webgl') {
    return { kind: 'forced', backend: forced };
  }
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(storageKey) ?? 'null');
    if (
      isStored(stored) &&
      stored.browser === navigator.userAgent &&
      stored.contract === contract
    ) {
      const { backend, wasmMs, webglMs } = stored;
      return { kind: 'remembered', choice: { backend, wasmMs, webglMs } };
    }
  } catch {
    // No storage, or something else in it: compare anew.
  }
  return { kind: 'compare' };
}

/** Keeps the result of a comparison for the next visit, where the browser lets it. */
export function rememberChoice(
  choice: RememberedChoice,
  contract: string,
  storageKey: string,
): void {
  const stored: Stored = { ...choice, contract, browser: navigator.userAgent };
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
  const { backend, wasmMs, webglMs } = value as Partial<Stored>;
  return (
    (backend === 'wasm' || backend === 'webgl') &&
    typeof wasmMs === 'number' &&
    typeof webglMs === 'number'
  );
}
