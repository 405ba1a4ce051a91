/** Tags photos by what the visitor has taught, from the features that the model gives. */

import { nearness } from '../../teach/nearness';
import type { TaughtHead } from '../../teach/head';
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
    const cosine = rule && nearness(rule, features);
    return { ...given, cosine, tags: tagsOf(outputsOf(head, features), spec, cosine) };
  };
}
