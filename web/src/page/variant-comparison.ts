/** Compares variants of a model in turn, because each needs its own memory. */

import type { Tag } from '../messages';
import type { Variant } from './site-files';

/** What came of one variant. */
export interface Trial {
  /** From the first request for its files to the last byte. */
  readonly loadMs: number;
  /** Bytes on the wire; 0 where the browser's cache answered. */
  readonly wireBytes: number;
  /** One of several runs on the same photo. */
  readonly inferenceMs: number;
  /** Best first. */
  readonly tags: readonly Tag[];
}

/** Where a variant stands. */
export type Progress =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'running' }
  | { readonly kind: 'done'; readonly trial: Trial; readonly agrees: boolean | null }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'cancelled' };

/**
 * Tries each variant in turn; a failure does not stop the others.
 *
 * @param attempt - Tries one; rejects when the signal is given.
 * @param show - Called whenever one stands elsewhere.
 * @returns How many were done.
 */
export async function compareInTurn(
  variants: readonly Variant[],
  attempt: (variant: Variant) => Promise<Trial>,
  show: (variant: Variant, progress: Progress) => void,
  signal: AbortSignal,
): Promise<number> {
  let first: Trial | undefined;
  let done = 0;
  for (const variant of variants) {
    show(variant, { kind: 'waiting' });
  }
  for (const [place, variant] of variants.entries()) {
    if (signal.aborted) {
      show(variant, { kind: 'cancelled' });
      continue;
    }
    show(variant, { kind: 'running' });
    try {
      const trial = await attempt(variant);
      done++;
      first ??= place === 0 ? trial : undefined;
      show(variant, { kind: 'done', trial, agrees: place === 0 ? null : agreement(first, trial) });
    } catch (error) {
      show(variant, signal.aborted ? { kind: 'cancelled' } : { kind: 'failed', error });
    }
  }
  return done;
}

/** Says whether two trials have one first tag, or both none; null where one has found nothing. */
function agreement(first: Trial | undefined, other: Trial): boolean | null {
  const [wanted] = first?.tags ?? [];
  const [found] = other.tags;
  if (!wanted || !found) {
    return null;
  }
  return wanted.isNearest || found.isNearest
    ? wanted.isNearest === found.isNearest
    : wanted.classIndex === found.classIndex;
}

/** Returns the middle one of some numbers, or the mean of the middle two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}
