import { describe, expect, it } from 'vitest';

import type { Failure } from '../src/messages';
import { failureOf } from '../src/worker/failure-error';
import { PACKING_SCHEMA } from '../src/schemas/packing';
import { packedBytes, readScales, unpack } from '../src/worker/packed-weights';
import type { io } from '../src/worker/tfjs';

type Spec = io.WeightsManifestEntry;

const packed = (shape: readonly number[], channels: unknown, more: object = {}) =>
  ({ name: 'w', shape, dtype: 'float32', packed: { channels }, ...more }) as unknown as Spec;

const packing = (...scales: readonly unknown[]) => ({
  schema: PACKING_SCHEMA,
  encoding: 'gzip-without-header',
  scales,
});
const scales = readScales(packing(0.5, 2, 0.1), 'w');

function failureIn(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    return failureOf(error);
  }
  throw new Error('it was accepted');
}

/** Unpacks as the format's definition says, one value after another. */
function byDefinition(shape: readonly number[], channels: number, bytes: readonly number[]) {
  const values = shape.reduce((size, side) => size * side, 1);
  const perChannel = values / channels;
  const indices = bytes.slice(0, channels);
  const result = new Array<number>(values);
  let place = 0;
  for (let index = 0; index < scales.length; index++) {
    for (let c = 0; c < channels; c++) {
      if (indices[c] === index) {
        for (let i = 0; i < perChannel; i++) {
          const byte = bytes[channels + place * perChannel + i] ?? NaN;
          result[i * channels + c] = Math.fround((byte - 128) * (scales[index] ?? NaN));
        }
        place++;
      }
    }
  }
  return result;
}

describe('unpack', () => {
  it('unpacks an example made by hand', () => {
    const stored = Uint8Array.of(1, 0, 128, 130, 126, 129, 0, 255);
    // The second channel has the lower index, so its three values come first.
    const unpacked = unpack(packed([1, 1, 3, 2], 2), stored, scales);
    expect([...unpacked]).toEqual([2, 0, -256, 1, 254, -1]);
  });

  it.each([
    { shape: [1, 1, 96, 24], channels: 24 },
    { shape: [3, 3, 8, 1], channels: 8 },
    { shape: [3, 3, 3, 5], channels: 5 },
    { shape: [130, 7], channels: 7 },
    { shape: [64, 3], channels: 3 },
    { shape: [10], channels: 1 },
    { shape: [10], channels: 10 },
    { shape: [], channels: 1 },
  ])('unpacks $shape with $channels channels', ({ shape, channels }) => {
    const spec = packed(shape, channels);
    const bytes = Array.from({ length: packedBytes(spec) }, (_, at) =>
      at < channels ? (at * 2) % scales.length : (at * 37) % 256,
    );
    const unpacked = unpack(spec, Uint8Array.from(bytes), scales);
    expect([...unpacked]).toEqual(byDefinition(shape, channels, bytes));
  });

  it('rounds the scale and the product to float32 and nothing in between', () => {
    const every = Array.from({ length: 256 }, (_, byte) => byte);
    const unpacked = unpack(packed([256], 1), Uint8Array.of(2, ...every), scales);
    const scale = Math.fround(0.1);
    expect([...unpacked]).toEqual(every.map((byte) => Math.fround((byte - 128) * scale)));
  });

  it.each([[[4]], [[0]]])('refuses an index outside the table for %j', (shape) => {
    const stored = Uint8Array.of(scales.length, ...new Array<number>(shape[0] ?? 0).fill(0));
    expect(failureIn(() => unpack(packed(shape, 1), stored, scales))).toEqual({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'index', index: 3, scales: 3 },
    });
  });
});

describe('packedBytes', () => {
  it('counts an index for each channel and a byte for each value', () => {
    expect(packedBytes(packed([3, 3, 8, 1], 8))).toBe(8 + 72);
    expect(packedBytes(packed([0, 2], 2))).toBe(2);
  });

  it.each([
    { shape: [2, 3], channels: 4 },
    { shape: [2, 3], channels: 0 },
    { shape: [2, 3], channels: -2 },
    { shape: [2, 3], channels: 1.5 },
    { shape: [2, 3], channels: '2' },
    { shape: [2, 3], channels: undefined },
  ])('refuses $channels channels', ({ shape, channels }) => {
    const found = JSON.stringify(channels) ?? 'missing';
    expect(failureIn(() => packedBytes(packed(shape, channels)))).toEqual({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'channels', found, values: 6 },
    });
  });

  it('refuses null for what says how', () => {
    expect(failureIn(() => packedBytes(packed([1], 1, { packed: null })))).toMatchObject({
      fault: { kind: 'channels', found: 'missing' },
    });
  });

  it.each([
    ['int32', { dtype: 'int32' }],
    ['float16', { quantization: { dtype: 'float16' } }],
  ])('refuses what is %s', (found, more) => {
    expect(failureIn(() => packedBytes(packed([1], 1, more)))).toEqual({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'dtype', found },
    });
  });
});

describe('readScales', () => {
  it('rounds the scales to float32', () => {
    expect([...readScales(packing(0.00123, 1), 'w')]).toEqual([Math.fround(0.00123), 1]);
    expect(readScales(packing(...new Array<number>(256).fill(1)), 'w')).toHaveLength(256);
  });

  it.each([
    [{ schema: 1, scales: [1] }, '1'],
    [{ schema: '3', scales: [1] }, '"3"'],
    [{ scales: [1] }, 'missing'],
    [undefined, 'missing'],
    [null, 'missing'],
  ])('refuses the schema of %j', (json, found) => {
    expect(failureIn(() => readScales(json, 'w'))).toEqual({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'schema', found, known: 3 },
    });
  });

  it.each([
    ['"br"', 'br'],
    ['missing', undefined],
  ])('refuses the encoding %s', (found, encoding) => {
    expect(failureIn(() => readScales({ schema: 3, encoding, scales: [1] }, 'w'))).toEqual({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'encoding', found },
    });
  });

  it.each([
    ['no list', 1],
    ['a text', ['1']],
    ['null', [null]],
    ['zero', [1, 0]],
    ['a negative number', [-1]],
    ['what float32 rounds to zero', [1e-60]],
    ['what float32 rounds to infinity', [1e60]],
    ['too many', new Array<number>(257).fill(1)],
  ])('refuses %s for scales', (_, found) => {
    expect(
      failureIn(() =>
        readScales({ schema: 3, encoding: 'gzip-without-header', scales: found }, 'w'),
      ),
    ).toEqual({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'scales', most: 256 },
    });
  });
});
