/**
 * Learns when a photo shows none of the tags: when it is far from every tag's centre.
 *
 * The rule is that of `toolchain/training/class_centres.py`, which explains it.
 */

import type { TaughtRule } from './head';
import { nearness } from './nearness';
import { addTo, cholesky, solveLower, solveUpper, zeros } from './vectors';

/** Share of the visitor's own photos that stay above the threshold. */
const KEPT = 0.95;
/** Of features, and how strongly the spread within tags counts: measured for `class_centres.py`. */
const MOST = 160;
const SHRINKAGE = 10;
const GREATEST = 127;
const FOLDS = 5;

type Centres = Omit<TaughtRule, 'threshold'>;

/**
 * Returns the rule, or null where no tag has two photos.
 *
 * @param tagOf - The tag of each photo.
 */
export function learnRule(
  features: readonly Float32Array[],
  tagOf: readonly number[],
  tags: number,
): TaughtRule | null {
  const counts = new Array<number>(tags).fill(0);
  const foldOf = tagOf.map((tag) => counts[tag]++ % FOLDS);
  const own: number[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const left = foldOf.flatMap((each, at) => (each === fold ? [] : [at]));
    const known = [...new Set(left.map((at) => tagOf[at]))];
    // A photo whose tag has no others tells nothing about them.
    const judged = tagOf.flatMap((tag, at) =>
      foldOf[at] === fold && known.includes(tag) ? [at] : [],
    );
    if (judged.length > 0) {
      const found = centresOf(
        left.map((at) => features[at]),
        left.map((at) => known.indexOf(tagOf[at])),
        known.length,
      );
      own.push(...judged.map((at) => nearness(found, features[at])));
    }
  }
  const threshold = quantile(own, 1 - KEPT);
  return threshold === null ? null : { ...centresOf(features, tagOf, tags), threshold };
}

/** Returns the tags' centres. */
export function centresOf(
  features: readonly Float32Array[],
  tagOf: readonly number[],
  tags: number,
): Centres {
  const width = Math.min(features[0].length, 1 << 16);
  const means = zeros(tags, width);
  const counts = new Float64Array(tags);
  tagOf.forEach((tag, at) => {
    addTo(means[tag], features[at], 1, width);
    counts[tag]++;
  });
  const energy = new Float64Array(width);
  means.forEach((mean, tag) => {
    addTo(mean, mean, 1 / counts[tag] - 1);
    mean.forEach((value, at) => (energy[at] += value * value));
  });
  const places = Array.from(energy.keys())
    .sort((a, b) => energy[b] - energy[a] || a - b)
    .slice(0, MOST)
    .sort((a, b) => a - b);
  const few = means.map((mean) => Float64Array.from(places, (place) => mean[place]));
  const within = places.map((_, at) => new Float64Array(at + 1));
  tagOf.forEach((tag, at) => {
    const rest = few[tag].map((mean, place) => features[at][places[place]] - mean);
    within.forEach((row, place) => addTo(row, rest, rest[place], place + 1));
  });
  const trace = within.reduce((sum, row, place) => sum + row[place], 0);
  const count = tagOf.length;
  const added = Math.max(trace / count / places.length, 1e-12) * SHRINKAGE;
  const factor = cholesky(
    places.length,
    (row, column) => within[row][column] / count + (row === column ? added : 0),
    1e-12 * added,
  );
  const centres = new Int8Array(tags * places.length);
  few.forEach((mean, tag) => {
    solveLower(factor, mean);
    solveUpper(factor, mean);
    const most = mean.reduce((found, value) => Math.max(found, Math.abs(value)), 0) || 1;
    centres.set(
      mean.map((value) => Math.round((value / most) * GREATEST)),
      tag * places.length,
    );
  });
  return { coordinates: Uint16Array.from(places), centres };
}

/** Returns the number that a share of the numbers is below; null of none. */
function quantile(numbers: readonly number[], share: number): number | null {
  if (numbers.length === 0) {
    return null;
  }
  const sorted = Float64Array.from(numbers).sort();
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}
