/** Decides what the worker is asked to run on: by the address, then the visitor, then itself. */

import {
  BACKENDS,
  type BackendName,
  type BackendReason,
  type BackendWish,
  type Failure,
} from '../messages';
import type { BackendMemory } from './backend-memory';

const PARAMETER = 'backend';

/** A wish for one backend and no other. */
export type ForcedWish = Extract<BackendWish, { kind: 'forced' }>;

/** Returns the wish for a backend that the address names. */
export function addressWish(search: string): ForcedWish | null {
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

/** Returns the wish that follows from what the visitor chose and what was measured before. */
export function rememberedWish(
  { choice, race }: Pick<BackendMemory, 'choice' | 'race'>,
  offered: ReadonlySet<BackendName>,
): BackendWish {
  if (choice) {
    return offered.has(choice)
      ? { kind: 'forced', backend: choice, reason: { code: 'chosen' } }
      : wishInstead({ code: 'chosen-missing', chosen: choice }, offered);
  }
  return race ? { kind: 'remembered', race } : { kind: 'compare' };
}

/**
 * Returns the wish for a model that is soon replaced: it runs on what is asked for, or on what
 * a visit starts with, and compares nothing.
 */
export function previewWish(wish: BackendWish, offered: ReadonlySet<BackendName>): ForcedWish {
  if (wish.kind === 'forced') {
    return wish;
  }
  return offered.has('wasm')
    ? { kind: 'forced', backend: 'wasm', reason: { code: 'first' } }
    : { kind: 'forced', backend: 'cpu', reason: { code: 'no-wasm' } };
}

/** Returns the wish for a backend in place of a chosen one, so that there are tags all the same. */
export function wishInstead(
  reason: Extract<BackendReason, { chosen: BackendName }>,
  offered: ReadonlySet<BackendName>,
): ForcedWish {
  const backend = reason.chosen !== 'wasm' && offered.has('wasm') ? 'wasm' : 'cpu';
  return { kind: 'forced', backend, reason };
}

/**
 * Returns the wish for what comes after a backend that failed, or null where nothing does: the
 * address asked for this one alone, or it was the last.
 */
export function wishAfter(
  wish: BackendWish,
  detail: string,
  offered: ReadonlySet<BackendName>,
): ForcedWish | null {
  const failed = wish.kind === 'forced' ? wish.backend : 'wasm';
  const code = wish.kind === 'forced' ? wish.reason.code : 'first';
  if (code === 'forced') {
    return null;
  }
  if (code === 'chosen') {
    // Chosen perhaps long ago, and drivers change: that must not cost the visitor the tags.
    return wishInstead({ code: 'chosen-failed', chosen: failed, detail }, offered);
  }
  // It may have run out of memory, of which JavaScript finds some elsewhere.
  return failed === 'wasm' && offered.has('wasm')
    ? { kind: 'forced', backend: 'cpu', reason: { code: 'wasm-failed', detail } }
    : null;
}

/** Returns what went wrong where another backend may do better, or null. */
export function faultOfBackend(failure: Failure): string | null {
  switch (failure.code) {
    case 'backend':
    case 'graph':
    case 'worker':
      return failure.detail;
    default:
      return null;
  }
}
