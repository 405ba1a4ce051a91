import { describe, expect, it } from 'vitest';

import { failureOf } from '../src/worker/failure-error';
import { type Weight, WeightAssembly } from '../src/worker/weight-assembly';
import { readModelJson } from '../src/worker/weights-manifest';

const SCALES = [0.5, 2];

const packed = (shape: readonly number[], channels: number) =>
  ({ name: 'packed', shape, dtype: 'float32', packed: { channels } }) as unknown;

const plain = (dtype: string, shape: readonly number[], quantization?: object) =>
  ({ name: 'plain', shape, dtype, ...(quantization ? { quantization } : {}) }) as unknown;

function assembly(weights: readonly unknown[], added: Weight[] = []): WeightAssembly {
  const model = readModelJson({
    modelTopology: {},
    weightsManifest: [{ paths: ['a.bin', 'b.bin'], weights }],
    packing: { schema: 3, encoding: 'gzip-without-header', scales: SCALES },
  });
  const [group] = model?.groups ?? [];
  if (!model || !group) {
    throw new Error('it is no model');
  }
  return new WeightAssembly(group, model.scales, (weight) => added.push(weight));
}

const floats = (buffer: ArrayBuffer | undefined) => [...new Float32Array(buffer ?? [])];

describe('WeightAssembly', () => {
  const odd = plain('float32', [3], { dtype: 'uint8', scale: 1, min: 0 });
  const half = plain('float32', [1], { dtype: 'float16' });
  const whole = plain('int32', [1]);
  const specs = [odd, packed([2], 1), half, packed([1, 2], 2), whole];
  const bytes = [7, 8, 9, 1, 127, 129, 11, 12, 0, 1, 130, 131, 1, 2, 3, 4];

  it.each([1, 2, 3, 5, 7, 16])('makes the same of pieces of %i bytes', (length) => {
    const weights: Weight[] = [];
    const assembled = assembly(specs, weights);
    // One buffer for all pieces: a piece may be gone when the next one comes.
    const piece = new Uint8Array(length);
    for (let at = 0; at < bytes.length; at += length) {
      const part = bytes.slice(at, at + length);
      piece.set(part);
      assembled.take(piece.subarray(0, part.length));
    }
    assembled.finish();
    expect(weights[0]?.spec).toBe(odd);
    expect(weights[1]?.spec).toEqual({ name: 'packed', shape: [2], dtype: 'float32' });
    const data = weights.map((weight) => weight.data);
    expect([0, 2, 4].map((at) => [...new Uint8Array(data[at] ?? [])])).toEqual([
      [7, 8, 9],
      [11, 12],
      [1, 2, 3, 4],
    ]);
    expect([1, 3].map((at) => floats(data[at]))).toEqual([
      [-2, 2],
      [1, 6],
    ]);
  });

  it('hands over a weight before the next one has come', () => {
    const weights: Weight[] = [];
    const assembled = assembly([packed([1], 1), whole], weights);
    assembled.take(Uint8Array.of(0, 130, 1, 2));
    expect(weights.map(({ data }) => floats(data))).toEqual([[1]]);
    expect(() => assembly([packed([1], 1), whole]).take(Uint8Array.of(2, 0))).toThrow(/"index"/);
  });

  it('hands over weights without values in their turn', () => {
    const weights: Weight[] = [];
    const assembled = assembly([packed([0, 2], 2), plain('float32', [0]), packed([1], 1)], weights);
    assembled.take(Uint8Array.of(0, 1, 0, 129));
    assembled.finish();
    expect(weights.map(({ spec }) => spec.shape)).toEqual([[0, 2], [0], [1]]);
    expect(weights.map(({ data }) => floats(data))).toEqual([[], [], [0.5]]);
  });

  it.each([0, 5, 15, 17, 40])('names the files where %i bytes came instead of 16', (received) => {
    const assembled = assembly(specs);
    assembled.take(Uint8Array.from(bytes.concat(new Array<number>(24).fill(0)).slice(0, received)));
    let failure: unknown;
    try {
      assembled.finish();
    } catch (error) {
      failure = failureOf(error);
    }
    expect(failure).toEqual({ code: 'length', file: 'a.bin + b.bin', expected: 16, received });
  });
});
