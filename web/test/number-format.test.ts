import { describe, expect, it } from 'vitest';

import { byteSize, duration, megabytes, percent } from '../src/page/number-format';

describe('byteSize', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1540, '1.5 kB'],
    [9949, '9.9 kB'],
    [9950, '10 kB'],
    [934_682, '935 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [13_400_000, '13.4 MB'],
  ])('writes %i as %s', (bytes, text) => {
    expect(byteSize(bytes)).toBe(text);
  });
});

it('writes megabytes with one digit', () => {
  expect(megabytes(0)).toBe('0.0 MB');
  expect(megabytes(934_682)).toBe('0.9 MB');
});

describe('duration', () => {
  it.each([
    [0.04, '0 ms'],
    [8.42, '8.4 ms'],
    [9.96, '10 ms'],
    [123.4, '123 ms'],
    [999.5, '1 s'],
    [1254, '1.25 s'],
  ])('writes %f as %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe('percent', () => {
  it.each([
    [0, '0.0 %'],
    [0.000_4, '< 0.1 %'],
    [0.125, '12.5 %'],
    [1, '100.0 %'],
  ])('writes %f as %s', (share, text) => {
    expect(percent(share)).toBe(text);
  });
});
