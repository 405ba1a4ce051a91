import { describe, expect, it } from 'vitest';

import type { Failure } from '../src/messages';
import { failureOf } from '../src/worker/failure-error';
import {
  packedBytes,
  PACKING_SCHEMA,
  readScales,
  unpackWeights,
} from '../src/worker/packed-weights';
import type { io } from '../src/worker/tfjs';

type Spec = io.WeightsManifestEntry;

const packed = (shape: readonly number[], channels: unknown, more: object = {}) =>
  ({ name: 'w', shape, dtype: 'float32', packed: { channels }, ...more }) as unknown as Spec;

const plain = (dtype: string, shape: readonly number[], more: object = {}) =>
  ({ name: 'plain', shape, dtype, ...more }) as unknown as Spec;

const packing = (...scales: readonly unknown[]) => ({ schema: PACKING_SCHEMA, scales });
const scales = readScales(packing(0.5, 2, 0.1), 'w');

const bufferOf = (...bytes: readonly number[]) => Uint8Array.from(bytes).buffer;

const floats = (buffer: ArrayBuffer | undefined) => [...new Float32Array(buffer ?? [])];

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
  const result = new Array<number>(values);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < perChannel; i++) {
      const byte = bytes[channels + c * perChannel + i] ?? NaN;
      const scale = scales[bytes[c] ?? NaN] ?? NaN;
      result[i * channels + c] = Math.fround((byte - 128) * scale);
    }
  }
  return result;
}

describe('unpackWeights', () => {
  it('unpacks an example made by hand', () => {
    const spec = packed([1, 1, 3, 2], 2);
    const bytes = bufferOf(0, 1, 128, 130, 126, 129, 0, 255);
    const { specs, data } = unpackWeights([spec], [bytes], scales);
    expect(specs).toEqual([{ name: 'w', shape: [1, 1, 3, 2], dtype: 'float32' }]);
    expect(data.map(floats)).toEqual([[0, 2, 1, -256, -1, 254]]);
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
      at < channels ? at % scales.length : (at * 37) % 256,
    );
    const { data } = unpackWeights([spec], [bufferOf(...bytes)], scales);
    expect(data.map(floats)).toEqual([byDefinition(shape, channels, bytes)]);
  });

  it('rounds the scale and the product to float32 and nothing in between', () => {
    const every = Array.from({ length: 256 }, (_, byte) => byte);
    const { data } = unpackWeights([packed([256], 1)], [bufferOf(2, ...every)], scales);
    const scale = Math.fround(0.1);
    expect(data.map(floats)).toEqual([every.map((byte) => Math.fround((byte - 128) * scale))]);
  });

  it('leaves the others as they are, wherever they lie and however files are cut', () => {
    const odd = plain('float32', [3], { quantization: { dtype: 'uint8', scale: 1, min: 0 } });
    const half = plain('float32', [1], { quantization: { dtype: 'float16' } });
    const whole = plain('int32', [1]);
    const specs = [odd, packed([2], 1), half, packed([1, 2], 2), whole];
    const bytes = [7, 8, 9, 1, 127, 129, 11, 12, 0, 1, 130, 131, 1, 2, 3, 4];
    for (const cut of [0, 4, 5, 9, bytes.length]) {
      const files = [bufferOf(...bytes.slice(0, cut)), bufferOf(...bytes.slice(cut))];
      const { specs: unpacked, data } = unpackWeights(specs, files, scales);
      expect(unpacked[0]).toBe(odd);
      expect(unpacked[2]).toBe(half);
      expect(unpacked[4]).toBe(whole);
      expect([0, 2, 4].map((at) => [...new Uint8Array(data[at] ?? [])])).toEqual([
        [7, 8, 9],
        [11, 12],
        [1, 2, 3, 4],
      ]);
      expect([1, 3].map((at) => floats(data[at]))).toEqual([
        [-2, 2],
        [1, 6],
      ]);
    }
  });

  it('keeps nothing of the packed bytes', () => {
    const file = bufferOf(1, 2, 3, 4, 0, 128);
    const { data } = unpackWeights([plain('int32', [1]), packed([1], 1)], [file], scales);
    expect(data.map((buffer) => buffer.byteLength)).toEqual([4, 4]);
    expect(data).not.toContain(file);
  });

  it('makes no piece for an empty weight', () => {
    const specs = [packed([0, 2], 2), plain('float32', [0]), packed([1], 1)];
    const { specs: unpacked, data } = unpackWeights(specs, [bufferOf(0, 1, 0, 129)], scales);
    expect(unpacked.map(({ shape }) => shape)).toEqual([[0, 2], [0], [1]]);
    expect(data.map(floats)).toEqual([[0.5]]);
  });

  it.each([
    { what: 'too few bytes', bytes: [0, 1, 2, 3, 4], fault: { expected: 6, found: 5 } },
    { what: 'no bytes', bytes: [], fault: { expected: 6, found: 0 } },
    { what: 'too many bytes', bytes: [0, 1, 2, 3, 4, 5, 6], fault: { expected: 6, found: 7 } },
  ])('names the weight that has $what', ({ bytes, fault }) => {
    expect(
      failureIn(() => unpackWeights([packed([2, 2], 2)], [bufferOf(...bytes)], scales)),
    ).toEqual({ code: 'weight', weight: 'w', fault: { kind: 'bytes', ...fault } });
  });

  it('names the weight where the bytes end, not the last one', () => {
    const specs = [packed([2], 1), plain('int32', [2]), packed([9], 1, { name: 'last' })];
    expect(failureIn(() => unpackWeights(specs, [bufferOf(0, 1, 2, 3, 4)], scales))).toEqual({
      code: 'weight',
      weight: 'plain',
      fault: { kind: 'bytes', expected: 8, found: 2 },
    });
  });

  it.each([[[4]], [[0]]])('refuses an index outside the table for %j', (shape) => {
    const spec = packed(shape, 1);
    const bytes = bufferOf(scales.length, ...new Array<number>(shape[0] ?? 0).fill(0));
    expect(failureIn(() => unpackWeights([spec], [bytes], scales))).toEqual({
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
    [{ schema: 2, scales: [1] }, '2'],
    [{ schema: '1', scales: [1] }, '"1"'],
    [{ scales: [1] }, 'missing'],
    [undefined, 'missing'],
    [null, 'missing'],
  ])('refuses the schema of %j', (json, found) => {
    expect(failureIn(() => readScales(json, 'w'))).toEqual({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'schema', found, known: 1 },
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
    expect(failureIn(() => readScales({ schema: 1, scales: found }, 'w'))).toEqual({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'scales', most: 256 },
    });
  });
});
