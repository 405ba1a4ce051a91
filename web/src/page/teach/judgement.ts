/** How well the tags can be told apart, from what each photo gets without itself. */

import type { Judged } from '../../teach/learn';

/** Two tags of which one is taken for the other. */
export interface Confusion {
  readonly tag: number;
  readonly found: number;
  readonly count: number;
}

/** What the panel says. */
export interface Judgement {
  readonly right: number;
  readonly count: number;
  /** The most frequent first. */
  readonly confusions: readonly Confusion[];
  /** Photos that are taken for another tag, the clearest mistakes first. */
  readonly mistaken: readonly Judged[];
}

/** From so many photos on there is something to say. */
const LEAST = 3;

/** Sums up; null where there are too few photos. */
export function judgementOf(judged: readonly Judged[]): Judgement | null {
  if (judged.length < LEAST) {
    return null;
  }
  const mistaken = judged
    .filter(({ tag, found }) => tag !== found)
    .sort((a, b) => a.margin - b.margin);
  const counts = new Map<string, Confusion>();
  for (const { tag, found } of mistaken) {
    const name = `${tag} ${found}`;
    counts.set(name, { tag, found, count: (counts.get(name)?.count ?? 0) + 1 });
  }
  const confusions = [...counts.values()].sort((a, b) => b.count - a.count);
  return { right: judged.length - mistaken.length, count: judged.length, confusions, mistaken };
}
