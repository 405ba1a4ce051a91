import { describe, expect, it } from 'vitest';

import { modelInput } from '../src/worker/preprocess';

const pixels = {
  width: 1,
  height: 1,
  stride: 4,
  from: () => Uint8ClampedArray.of(0, 51, 255, 255),
};
const plain = {
  width: 1,
  height: 1,
  crop_fraction: 1,
  value_range: [0, 1],
  mean: [0, 0, 0],
  std: [1, 1, 1],
  channels: 'rgb',
} as const;

describe('modelInput', () => {
  it.each([
    ['the range', {}, [0, 0.2, 1]],
    ['another range', { value_range: [-1, 1] } as const, [-1, -0.6, 1]],
    ['a mean in the unit of the range', { mean: [0.5, 0.1, -1] } as const, [-0.5, 0.1, 2]],
    ['a deviation', { mean: [0.5, 0, 0], std: [0.25, 2, 4] } as const, [-2, 0.1, 0.25]],
    ['blue before red', { channels: 'bgr' } as const, [1, 0.2, 0]],
    [
      'mean and deviation of colours, whatever their order',
      { mean: [0.5, 0, 0], std: [0.25, 2, 4], channels: 'bgr' } as const,
      [0.25, 0.1, -2],
    ],
  ])('applies %s', (_what, change, expected) => {
    const values = [...modelInput(pixels, { ...plain, ...change })];
    expect(values).toHaveLength(3);
    expected.forEach((value, place) => expect(values[place]).toBeCloseTo(value, 6));
  });
});
