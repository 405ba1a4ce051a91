/** Decides what the worker is asked to run on: by the address, then the visitor, then itself. */

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
 * Returns the preference for a model that is soon replaced: it runs on what is asked for, or on what
 * a visit starts with, and compares nothing.
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

/** Returns the preference for a backend in place of a chosen one, so that there are tags all the same. */
export function fallbackPreference(
  reason: Extract<BackendReason, { chosen: BackendName }>,
  offered: ReadonlySet<BackendName>,
): ForcedBackend {
  const backend = reason.chosen !== 'wasm' && offered.has('wasm') ? 'wasm' : 'cpu';
  return { kind: 'forced', backend, reason };
}

/**
 * Returns the preference for what comes after a backend that failed, or null where nothing does: the
 * address asked for this one alone, or it was the last.
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
    // Chosen perhaps long ago, and drivers change: that must not cost the visitor the tags.
    return fallbackPreference({ code: 'chosen-failed', chosen: failed, detail }, offered);
  }
  // It may have run out of memory, of which JavaScript finds some elsewhere.
  return failed === 'wasm' && offered.has('wasm')
    ? { kind: 'forced', backend: 'cpu', reason: { code: 'wasm-failed', detail } }
    : null;
}

/** Returns what went wrong where another backend may do better, or null. */
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
