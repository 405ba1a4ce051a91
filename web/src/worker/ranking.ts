/** From a graph's outputs to tags. */

import type { ContractOutput } from '../contract';
import type { Tag, TagChoice } from '../messages';

/** How many tags the page shows. */
export const TAGS_SHOWN = 5;

/**
 * Returns what a photo is tagged with, best first.
 *
 * A photo that has one label gets the best few. One that may have any number gets every label
 * whose score reaches the threshold. Where no label is left, or the photo is far from all of them,
 * it gets the one of the highest score, marked as the nearest.
 *
 * @param cosine - To the most similar label; null where the model has no rule for none of them.
 * @param choice - How many tags at most, and from which score on, in place of the above.
 */
export function tagsOf(
  outputs: Float32Array,
  spec: ContractOutput,
  cosine: number | null = null,
  { top, threshold: least }: TagChoice = {},
): Tag[] {
  const { task, labels, threshold, none_of_these: rule } = spec;
  const isOne = task === 'single-label';
  const best = bestTags(outputs, spec, top ?? (isOne ? TAGS_SHOWN : labels.length));
  const isFar = rule && cosine !== null && !(cosine >= rule.threshold);
  const floor = least ?? (isOne ? undefined : threshold);
  const tags = isFar ? [] : best.filter(({ score }) => floor === undefined || score >= floor);
  return tags.length > 0 ? tags : best.slice(0, 1).map((tag) => ({ ...tag, isNearest: true }));
}

/** Returns the best labels, best first; of equal scores the lower class comes first. */
export function bestTags(
  outputs: Float32Array,
  spec: Pick<ContractOutput, 'activation' | 'label_offset' | 'labels'>,
  count = TAGS_SHOWN,
): Tag[] {
  // Softmax goes over all outputs: those before the first label have had their share of
  // the probability in training too.
  const scores = scoresOf(outputs, spec);
  return spec.labels
    .map((label, classIndex) => ({
      classIndex,
      label,
      score: scores[spec.label_offset + classIndex] ?? Number.NaN,
    }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
}

/** Returns the scores that outputs stand for, in double precision. */
export function scoresOf(
  outputs: Float32Array,
  { activation }: Pick<ContractOutput, 'activation'>,
): Float64Array {
  switch (activation) {
    case 'softmax':
      return softmax(outputs);
    case 'sigmoid':
      return Float64Array.from(outputs, (output) => 1 / (1 + Math.exp(-output)));
    case 'none':
      return Float64Array.from(outputs);
  }
}

/** Returns the softmax in double precision, safe against large outputs. */
export function softmax(outputs: Float32Array): Float64Array {
  const greatest = outputs.reduce((most, output) => Math.max(most, output), -Infinity);
  const powers = Float64Array.from(outputs, (output) => Math.exp(output - greatest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
