import { describe, expect, it } from 'vitest';

import type { PixelRows } from '../src/photo/read-crop';
import { resize, type Taps, triangleTaps } from '../src/worker/resize';

/** Pixels that are all there. */
interface Pixels extends PixelRows {
  readonly data: Uint8ClampedArray;
}

/** An image whose red, green and blue are made from its columns and rows. */
function image(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): Pixels {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data.set([...colour(x, y), 255], (y * width + x) * 4);
    }
  }
  const stride = width * 4;
  return { width, height, stride, data, from: (row) => data.subarray(row * stride) };
}

const reds = (values: Float32Array): number[] => [...values].filter((_, index) => index % 3 === 0);

/** The taps of one output. */
function tapsOf({ first, start, weights }: Taps, output: number) {
  return {
    first: first[output] ?? NaN,
    weights: [...weights.slice(start[output], start[output + 1])],
  };
}

/** By the definition: every output is the mean of all inputs, weighed by the triangle. */
function byDefinition({ width, height, data }: Pixels, columns: number, rows: number): number[] {
  const triangle = (input: number, output: number, scale: number): number =>
    Math.max(0, 1 - Math.abs(input + 0.5 - (output + 0.5) * scale) / Math.max(1, scale));
  return Array.from({ length: rows * columns * 3 }, (_, place) => {
    const [row, column] = [Math.floor(place / 3 / columns), Math.floor(place / 3) % columns];
    let [sum, total] = [0, 0];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const weight = triangle(x, column, width / columns) * triangle(y, row, height / rows);
        sum += weight * (data[(y * width + x) * 4 + (place % 3)] ?? NaN);
        total += weight;
      }
    }
    return sum / total;
  });
}

describe('triangleTaps', () => {
  it('leaves a row of the same length alone', () => {
    const taps = triangleTaps(3, 3);
    for (const output of [0, 1, 2]) {
      expect(tapsOf(taps, output)).toEqual({ first: output, weights: [1] });
    }
  });

  it('weighs a halved row by hand-computed triangles', () => {
    // centre 1, reach 2: |x + 0.5 - 1| / 2 = 0.25, 0.25, 0.75 → 0.75, 0.75, 0.25, over 1.75
    expect(tapsOf(triangleTaps(4, 2), 0)).toEqual({ first: 0, weights: [3 / 7, 3 / 7, 1 / 7] });
  });

  it.each([
    [2048, 224],
    [196, 224],
    [7, 3],
    [1, 5],
    [224, 1],
  ])('makes weights that sum to 1, from %i to %i', (inputs, outputs) => {
    const taps = triangleTaps(inputs, outputs);
    for (let output = 0; output < outputs; output++) {
      const { first, weights } = tapsOf(taps, output);
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

  it.each([
    [37, 23, 9, 8],
    [9, 8, 21, 17],
    [5, 40, 12, 12],
    [16, 16, 16, 16],
  ])(
    'is the weighted mean that defines it, from %i × %i to %i × %i',
    (width, height, columns, rows) => {
      const noise = image(width, height, (x, y) => [
        (x * 71 + y * 31) % 256,
        (x * x * 13 + y * 97) % 256,
        (x * 29 + y * y * 41) % 256,
      ]);
      const result = resize(noise, columns, rows);
      const worst = byDefinition(noise, columns, rows).map((value, place) =>
        Math.abs(value - (result[place] ?? NaN)),
      );
      // Of 255, as floats of 32 bits round: 3e-7 of a model's range.
      expect(Math.max(...worst)).toBeLessThan(3e-7 * 255);
    },
  );

  it('reads each row once, in order, in whatever parts they come', () => {
    const whole = image(9, 31, (x, y) => [x * 28, y * 8, (x * y) % 256]);
    const asked: number[] = [];
    const parts = {
      ...whole,
      from: (row: number): Uint8ClampedArray => {
        asked.push(row);
        return whole.data.slice(row * 9 * 4, Math.min(31, row + 4) * 9 * 4);
      },
    };
    expect(resize(parts, 5, 6)).toEqual(resize(whole, 5, 6));
    expect(asked).toEqual([0, 4, 8, 12, 16, 20, 24, 28]);
  });

  it('reads a box of a larger picture', () => {
    const whole = image(9, 8, (x, y) => [x * 28, y * 8, (x * y) % 256]);
    const box = {
      ...whole,
      width: 4,
      height: 3,
      from: (row: number) => whole.from(5 + row).subarray(5 * 4),
    };
    const cut = image(4, 3, (x, y) => [(x + 5) * 28, (y + 5) * 8, ((x + 5) * (y + 5)) % 256]);
    expect(resize(box, 3, 5)).toEqual(resize(cut, 3, 5));
  });

  it('scales each colour and puts it in its place', () => {
    const scales = [
      { place: 2, factor: 2, offset: 1 },
      { place: 1, factor: 0.5, offset: 0 },
      { place: 0, factor: -1, offset: 10 },
    ];
    const result = resize(
      image(2, 2, () => [10, 20, 30]),
      1,
      1,
      scales,
    );
    expect([...result]).toEqual([-20, 10, 21]);
  });
});
