/** Decides the backend: by the address, else by the visitor's choice, else by measuring. */

import {
  BACKENDS,
  type BackendName,
  type BackendReason,
  type BackendPreference,
  type Failure,
} from '../messages';
import type { BackendMemory } from './backend-memory';

const PARAMETER = 'backend';

/** A preference for one backend and no other. */
export type ForcedBackend = Extract<BackendPreference, { kind: 'forced' }>;

/** Returns the preference for a backend that the address names. */
export function addressPreference(search: string): ForcedBackend | null {
  const asked = new URLSearchParams(search).get(PARAMETER);
  const backend = BACKENDS.find((name) => name === asked);
  return backend ? { kind: 'forced', backend, reason: { code: 'forced' } } : null;
}

/**
 * Returns an address that asks for a backend.
 *
 * @param backend - Its name; any other word asks for none.
 */
export function addressWithBackend(address: string, backend: string): string {
  const url = new URL(address);
  url.hash = '';
  if (BACKENDS.some((name) => name === backend)) {
    url.searchParams.set(PARAMETER, backend);
  } else {
    url.searchParams.delete(PARAMETER);
  }
  return url.href;
}

/** Returns the preference that follows from what the visitor chose and what was measured before. */
export function rememberedPreference(
  { choice, race }: Pick<BackendMemory, 'choice' | 'race'>,
  offered: ReadonlySet<BackendName>,
): BackendPreference {
  if (choice) {
    return offered.has(choice)
      ? { kind: 'forced', backend: choice, reason: { code: 'chosen' } }
      : fallbackPreference({ code: 'chosen-missing', chosen: choice }, offered);
  }
  return race ? { kind: 'remembered', race } : { kind: 'compare' };
}

/**
 * Returns the preference for a preview: the requested backend, or the one that visits start on;
 * it compares nothing.
 */
export function previewPreference(
  preference: BackendPreference,
  offered: ReadonlySet<BackendName>,
): ForcedBackend {
  if (preference.kind === 'forced') {
    return preference;
  }
  return offered.has('wasm')
    ? { kind: 'forced', backend: 'wasm', reason: { code: 'first' } }
    : { kind: 'forced', backend: 'cpu', reason: { code: 'no-wasm' } };
}

/** Returns the fallback for a chosen backend that is missing or has failed. */
export function fallbackPreference(
  reason: Extract<BackendReason, { chosen: BackendName }>,
  offered: ReadonlySet<BackendName>,
): ForcedBackend {
  const backend = reason.chosen !== 'wasm' && offered.has('wasm') ? 'wasm' : 'cpu';
  return { kind: 'forced', backend, reason };
}

/**
 * Returns the fallback for a backend that failed. Null if there is none: the address asked for
 * this backend alone, or it was the last.
 */
export function fallbackAfter(
  preference: BackendPreference,
  detail: string,
  offered: ReadonlySet<BackendName>,
): ForcedBackend | null {
  const failed = preference.kind === 'forced' ? preference.backend : 'wasm';
  const code = preference.kind === 'forced' ? preference.reason.code : 'first';
  if (code === 'forced') {
    return null;
  }
  if (code === 'chosen') {
    // The choice may be old, and drivers change: there must be tags nevertheless.
    return fallbackPreference({ code: 'chosen-failed', chosen: failed, detail }, offered);
  }
  // It may have run out of memory; JavaScript allocates elsewhere.
  return failed === 'wasm' && offered.has('wasm')
    ? { kind: 'forced', backend: 'cpu', reason: { code: 'wasm-failed', detail } }
    : null;
}

/** Returns what went wrong if another backend may help, or null. */
export function backendFault(failure: Failure): string | null {
  switch (failure.code) {
    case 'backend':
    case 'graph':
    case 'worker':
      return failure.detail;
    default:
      return null;
  }
}
