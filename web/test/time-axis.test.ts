import { describe, expect, it } from 'vitest';

import { lanesOf, stepOf } from '../src/page/time-axis';

describe('stepOf', () => {
  it.each([
    [380, 100],
    [400, 100],
    [401, 200],
    [1234, 500],
    [2400, 1000],
    [61_000, 20_000],
    [3, 1],
  ])('divides %d ms by steps of %d ms', (length, step) => {
    expect(stepOf(length)).toBe(step);
  });

  it('gives two to four steps for any length', () => {
    for (let length = 1; length < 1e6; length *= 1.07) {
      const steps = length / stepOf(length);
      expect(steps).toBeLessThanOrEqual(4.001);
      expect(steps).toBeGreaterThan(1.5);
    }
  });
});

describe('lanesOf', () => {
  it('keeps apart what happens at the same time, and takes a lane again when it is free', () => {
    const stretches = [
      { start: 0, end: 10 },
      { start: 5, end: 30 },
      { start: 8, end: 9 },
      { start: 10, end: 12 },
      { start: 29, end: 31 },
    ];
    expect(lanesOf(stretches)).toEqual([0, 1, 2, 0, 0]);
  });

  it('needs no lane for nothing', () => {
    expect(lanesOf([])).toEqual([]);
  });
});
