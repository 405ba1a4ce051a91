/** Learns tags from photos' features: at once, and better when there is time. */

import { centresOf, learnRule } from './centres';
import { Gram } from './gram';
import type { Judged, Learned, LearnOrder } from './learn';
import { type Breathe, fitLogistic } from './logistic';
import { Ridge } from './ridge';

/** Keeps what it has computed of photos that stay. */
export class Teacher {
  readonly #gram = new Gram();
  readonly #ridge = new Ridge(this.#gram);
  #keys: number[] = [];
  /** Of the rule "none of these"; it takes longer than the centres. */
  #threshold: number | null = null;

  /** Returns what follows at once. */
  learn(order: LearnOrder): Learned {
    const tagOf = this.#take(order);
    const { tags, id } = order;
    const { features } = this.#gram;
    const { layer, leftOut } = this.#ridge.fit(tagOf, tags);
    const threshold = this.#threshold;
    const rule = threshold === null ? null : { ...centresOf(features, tagOf, tags), threshold };
    return {
      id,
      head: { ...layer, rule },
      isFinal: false,
      judged: tags > 1 ? judge(this.#keys, tagOf, leftOut) : [],
    };
  }

  /**
   * Returns what is better, of the order that was learned last.
   *
   * @param breathe - Lets other work in, and answers whether to go on.
   * @returns null if not.
   */
  async perfect(order: LearnOrder, quick: Learned, breathe: Breathe): Promise<Learned | null> {
    const tagOf = this.#take(order);
    const layer = await fitLogistic(this.#gram, tagOf, order.tags, breathe);
    if (!layer) {
      return null;
    }
    const rule = learnRule(this.#gram.features, tagOf, order.tags);
    this.#threshold = rule && rule.threshold;
    return { ...quick, head: { ...layer, rule }, isFinal: true };
  }

  /** Takes photos in and out; returns the tag of each in the order in which they are kept. */
  #take({ keys, tagOf, fresh }: LearnOrder): number[] {
    const wanted = new Map(keys.map((key, at) => [key, tagOf[at]]));
    for (let place = this.#keys.length - 1; place >= 0; place--) {
      if (!wanted.has(this.#keys[place])) {
        this.#ridge.forget(place);
        this.#gram.remove(place);
        this.#keys.splice(place, 1);
      }
    }
    const known = new Set(this.#keys);
    for (const key of keys) {
      const features = known.has(key) ? undefined : fresh.get(key);
      if (features) {
        this.#gram.add(features);
        this.#keys.push(key);
      }
    }
    return this.#keys.map((key) => wanted.get(key) ?? 0);
  }
}

/** Returns what left-out photos get, of those whose tag has others. */
function judge(
  keys: readonly number[],
  tagOf: readonly number[],
  leftOut: readonly Float64Array[],
): Judged[] {
  const counts = new Map<number, number>();
  tagOf.forEach((tag) => counts.set(tag, (counts.get(tag) ?? 0) + 1));
  return keys.flatMap((key, at) => {
    const tag = tagOf[at];
    let other = tag === 0 ? 1 : 0;
    leftOut.forEach((row, each) => {
      other = each !== tag && row[at] > leftOut[other][at] ? each : other;
    });
    const margin = leftOut[tag][at] - leftOut[other][at];
    return counts.get(tag) === 1 ? [] : [{ key, tag, found: margin >= 0 ? tag : other, margin }];
  });
}
