import { describe, expect, it } from 'vitest';

import { alike } from '../src/worker/output-agreement';

describe('alike', () => {
  it('allows for the last digits, measured by the largest output', () => {
    expect(alike(Float32Array.of(10, 0), Float32Array.of(10.05, 0.05))).toBe(true);
    expect(alike(Float32Array.of(10, 0), Float32Array.of(10, 0.2))).toBe(false);
  });

  it('refuses what is no number, and other lengths', () => {
    expect(alike(Float32Array.of(1), Float32Array.of(Number.NaN))).toBe(false);
    expect(alike(Float32Array.of(1), Float32Array.of(1, 1))).toBe(false);
  });
});
