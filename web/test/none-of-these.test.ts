import { describe, expect, it } from 'vitest';

import { greatestCosine } from '../src/worker/none-of-these';

const packed = (numbers: Uint16Array | Int8Array) =>
  btoa(String.fromCharCode(...new Uint8Array(numbers.buffer)));

const rule = (coordinates: readonly number[], centres: readonly number[]) => ({
  feature: 'pool',
  threshold: 0.5,
  coordinates: packed(Uint16Array.from(coordinates)),
  centres: packed(Int8Array.from(centres)),
});

describe('greatestCosine', () => {
  // The same numbers as in tests/test_none_of_these.py.
  const cosineOf = greatestCosine(rule([0, 2], [3, 4, -5, 12]));

  it.each([
    [[3, 99, 4], 1],
    [[0, -99, 1], 12 / 13],
    [[-6, 0, -8], -33 / 65],
  ])('is that to the most similar label, at the coordinates alone: %j', (features, cosine) => {
    expect(cosineOf(Float32Array.from(features))).toBeCloseTo(cosine, 12);
  });

  it('is 0 for features without direction', () => {
    expect(cosineOf(Float32Array.of(0, 7, 0))).toBeCloseTo(0, 12);
  });

  it('reads indices beyond a byte, and does not lose long features', () => {
    const features = new Float32Array(1280);
    features[1279] = 1e30;
    features[300] = 1e30;
    const expected = -1 / Math.SQRT2 / Math.hypot(128, 127);
    expect(greatestCosine(rule([300, 1279], [-128, 127]))(features)).toBeCloseTo(expected, 12);
  });

  it('is not a number where a feature is none', () => {
    expect(cosineOf(Float32Array.of(1, 2, NaN))).toBeNaN();
    expect(cosineOf(Float32Array.of(1, 2))).toBeNaN();
  });
});
