/** The messages between who teaches and the solver's worker. */

import type { TaughtHead } from './head';

/** Learn from these photos, in place of all orders before. */
export interface LearnOrder {
  readonly id: number;
  /** How many tags there are; each has photos. */
  readonly tags: number;
  /** All photos by their keys, and the tag of each. */
  readonly keys: readonly number[];
  readonly tagOf: readonly number[];
  /** The features of those that the worker has not had yet, by their keys. */
  readonly fresh: ReadonlyMap<number, Float32Array>;
}

/** What one photo would get if it had not been learned from. */
export interface Judged {
  readonly key: number;
  readonly tag: number;
  /** The tag that it would get. */
  readonly found: number;
  /** How much more its own tag gets than the best other one; negative where it is mistaken. */
  readonly margin: number;
}

/** What was learned; it comes twice: at once by ridge regression, and better by logistic regression. */
export interface Learned {
  readonly id: number;
  readonly head: TaughtHead;
  /** Whether the logistic regression is done. */
  readonly isFinal: boolean;
  /** Photos whose tag has others, by ridge regression without the photo; empty with one tag. */
  readonly judged: readonly Judged[];
}
