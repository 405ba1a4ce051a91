import { describe, expect, it } from 'vitest';

import { resize, type RgbaPixels, triangleTaps } from '../src/worker/resize';

/** An image whose red, green and blue are made from its columns and rows. */
function image(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): RgbaPixels {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data.set([...colour(x, y), 255], (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

const reds = (values: Float32Array): number[] => [...values].filter((_, index) => index % 3 === 0);

describe('triangleTaps', () => {
  it('leaves a row of the same length alone', () => {
    for (const [index, { first, weights }] of triangleTaps(3, 3).entries()) {
      const whole = Array.from({ length: 3 }, (_, x) => weights[x - first] ?? 0);
      expect(whole).toEqual([0, 1, 2].map((x) => (x === index ? 1 : 0)));
    }
  });

  it('weighs a halved row by hand-computed triangles', () => {
    // centre 1, reach 2: |x + 0.5 - 1| / 2 = 0.25, 0.25, 0.75 → 0.75, 0.75, 0.25, over 1.75
    const [left] = triangleTaps(4, 2);
    expect(left?.first).toBe(0);
    expect([...(left?.weights ?? [])]).toEqual([3 / 7, 3 / 7, 1 / 7]);
  });

  it.each([
    [2048, 224],
    [196, 224],
    [7, 3],
    [1, 5],
    [224, 1],
  ])('makes weights that sum to 1, from %i to %i', (inputs, outputs) => {
    for (const { first, weights } of triangleTaps(inputs, outputs)) {
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(first + weights.length).toBeLessThanOrEqual(inputs);
    }
  });
});

describe('resize', () => {
  it.each([
    [640, 427],
    [3, 5],
    [1, 1],
  ])('keeps a constant image of %i × %i constant', (width, height) => {
    const result = resize(
      image(width, height, () => [10, 128, 255]),
      4,
      3,
    );
    expect(result).toHaveLength(4 * 3 * 3);
    result.forEach((value, index) => expect(value).toBeCloseTo([10, 128, 255][index % 3] ?? 0, 4));
  });

  it('returns the pixels themselves at the same size', () => {
    const source = image(5, 4, (x, y) => [x * 40, y * 60, x + y]);
    const rgb = [...source.data].filter((_, index) => index % 4 !== 3);
    expect([...resize(source, 5, 4)]).toEqual(rgb);
  });

  it('halves a row without rounding', () => {
    const row = image(4, 1, (x) => [[0, 10, 20, 250][x] ?? 0, 0, 0]);
    const [left, right] = reds(resize(row, 2, 1));
    expect(left).toBeCloseTo((3 * 0 + 3 * 10 + 1 * 20) / 7, 5);
    expect(right).toBeCloseTo((1 * 10 + 3 * 20 + 3 * 250) / 7, 4);
  });

  it('doubles a column with half-pixel centres', () => {
    const column = image(1, 2, (_, y) => [y * 100, 0, 0]);
    const values = reds(resize(column, 1, 4));
    [0, 25, 75, 100].forEach((value, index) => expect(values[index]).toBeCloseTo(value, 5));
  });

  it('averages a fine pattern away instead of sampling it', () => {
    const checks = image(64, 64, (x, y) => [(x + y) % 2 ? 255 : 0, 0, 0]);
    for (const value of reds(resize(checks, 4, 4))) {
      expect(value).toBeCloseTo(127.5, 0);
    }
  });
});
