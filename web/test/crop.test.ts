import { describe, expect, it } from 'vitest';

import { centralCrop, LONGEST_EXACT_SIDE, readingSize } from '../src/photo/crop';

const input = (width: number, height: number, cropFraction: number) => ({
  width,
  height,
  crop_fraction: cropFraction,
});

describe('centralCrop', () => {
  it.each([
    // width, height, fraction, x, y, side
    [640, 427, 0.875, 133, 26, 374], // 373.625 rounds up
    [427, 640, 0.875, 26, 133, 374],
    [256, 256, 0.875, 16, 16, 224],
    [4, 4, 0.875, 0, 0, 4], // 3.5 rounds up
    [100, 50, 1, 25, 0, 50],
    [1, 1, 0.1, 0, 0, 1], // never less than a pixel
    [10_000, 1, 0.875, 4999, 0, 1],
  ])('of %i × %i at %f', (width, height, fraction, x, y, side) => {
    expect(centralCrop(width, height, input(224, 224, fraction))).toEqual({
      x,
      y,
      width: side,
      height: side,
    });
  });

  it('rounds halves up whatever the size of a square input', () => {
    for (let shorter = 4; shorter < 2000; shorter += 8) {
      // 0.875 times such a side ends in a half.
      const expected = Math.floor(shorter * 0.875 + 0.5);
      for (const size of [96, 160, 192, 224, 299]) {
        const crop = centralCrop(3000, shorter, input(size, size, 0.875));
        expect([crop.width, crop.height]).toEqual([expected, expected]);
      }
    }
  });

  it('keeps the aspect of an oblong input', () => {
    expect(centralCrop(300, 300, input(200, 100, 1))).toEqual({
      x: 0,
      y: 75,
      width: 300,
      height: 150,
    });
    expect(centralCrop(300, 100, input(100, 200, 0.5))).toEqual({
      x: 137,
      y: 25,
      width: 25,
      height: 50,
    });
  });
});

describe('readingSize', () => {
  it('is the crop itself up to the limit', () => {
    const crop = { x: 0, y: 0, width: LONGEST_EXACT_SIDE, height: 7 };
    expect(readingSize(crop)).toMatchObject({ width: LONGEST_EXACT_SIDE, height: 7 });
  });

  it('is the limit on the longer side beyond it', () => {
    expect(readingSize({ x: 0, y: 0, width: 6000, height: 3000 })).toEqual({
      width: 2048,
      height: 1024,
    });
    expect(readingSize({ x: 0, y: 0, width: 1, height: 9000 })).toEqual({ width: 1, height: 2048 });
  });
});
