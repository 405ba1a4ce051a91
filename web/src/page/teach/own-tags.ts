/** Tags photos by what the visitor has taught, from the features that the model gives. */

import type { TaughtHead, TaughtRule } from '../../teach/head';
import type { Tagging } from '../../messages';
import { tagsOf } from '../../worker/ranking';

/** Returns a layer's outputs, one for each tag. */
export function outputsOf({ weights, biases }: TaughtHead, features: Float32Array): Float32Array {
  const width = features.length;
  return biases.map((bias, tag) => {
    let sum = bias;
    for (let at = 0; at < width; at++) {
      sum += (features[at] as number) * (weights[tag * width + at] as number);
    }
    return sum;
  });
}

/** Returns the cosine of a photo to the nearest tag's centre. */
export function nearestCosine(
  { coordinates, centres }: TaughtRule,
  features: Float32Array,
): number {
  const chosen = Array.from(coordinates, (place) => features[place] ?? Number.NaN);
  const length = Math.hypot(...chosen) || 1;
  let most = -Infinity;
  for (let start = 0; start < centres.length; start += chosen.length) {
    const centre = centres.subarray(start, start + chosen.length);
    const product = chosen.reduce((sum, value, at) => sum + value * (centre[at] as number), 0);
    most = Math.max(most, product / length / (Math.hypot(...centre) || 1));
  }
  return most;
}

/** Returns what gives a photo the visitor's tags in place of the model's. */
export function retagged(head: TaughtHead, labels: readonly string[]): (given: Tagging) => Tagging {
  const { rule } = head;
  const none_of_these = rule && {
    threshold: rule.threshold,
    coordinates: '',
    centres: '',
    feature: '',
  };
  const spec = {
    label_offset: 0,
    activation: 'softmax',
    task: 'single-label',
    threshold: 0.5,
    labels,
    none_of_these,
    features: null,
  } as const;
  return (given) => {
    const { features } = given;
    if (!features) {
      return given;
    }
    const cosine = rule && nearestCosine(rule, features);
    return { ...given, cosine, tags: tagsOf(outputsOf(head, features), spec, cosine) };
  };
}
