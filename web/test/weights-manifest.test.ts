import { describe, expect, it } from 'vitest';

import { failureOf } from '../src/worker/failure-error';
import { readModelJson } from '../src/worker/weights-manifest';

const weight = (dtype: string, shape: readonly number[], quantized?: string) => ({
  name: 'w',
  dtype,
  shape,
  ...(quantized ? { quantization: { dtype: quantized } } : {}),
});

const model = (weights: readonly unknown[], paths: unknown = ['a.bin']) => ({
  modelTopology: {},
  weightsManifest: [{ paths, weights }],
});

describe('readModelJson', () => {
  it('knows what each file of weights must hold', () => {
    const read = readModelJson(
      model([
        weight('float32', [3, 3, 3, 8]),
        weight('float32', [10], 'float16'),
        weight('float32', [10], 'uint8'),
        weight('int32', []),
      ]),
    );
    expect(read?.groups).toMatchObject([{ paths: ['a.bin'], sizes: [216 * 4, 20, 10, 4] }]);
  });

  it('knows of packed weights what they are scaled by', () => {
    const packed = { ...weight('float32', [3, 3, 8, 1]), packed: { channels: 8 } };
    const packing = { schema: 3, encoding: 'gzip-without-header', scales: [0.5, 0.1] };
    const read = readModelJson({ ...model([packed, weight('float32', [8])]), packing });
    expect(read?.groups).toMatchObject([{ sizes: [8 + 72, 32] }]);
    expect(read?.scales).toEqual(Float32Array.of(0.5, 0.1));
  });

  it('does not look at the packing where nothing is packed', () => {
    const read = readModelJson({ ...model([weight('int32', [])]), packing: { schema: 9 } });
    expect(read?.scales).toBeNull();
  });

  it('names a packed weight that it does not understand, before anything is fetched', () => {
    const packed = { ...weight('float32', [4]), packed: { channels: 3 } };
    const read = (packing?: object) => {
      try {
        return readModelJson({ ...model([packed]), packing });
      } catch (error) {
        return failureOf(error);
      }
    };
    expect(read()).toMatchObject({ code: 'weight', weight: 'w', fault: { kind: 'schema' } });
    expect(read({ schema: 3, encoding: 'gzip-without-header', scales: [1] })).toMatchObject({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'channels', found: '3', values: 4 },
    });
  });

  it.each([
    null,
    {},
    { modelTopology: {} },
    { modelTopology: {}, weightsManifest: [{}] },
    model([weight('string', [1])]),
    model([{}]),
    model([], 'a.bin'),
  ])('does not take %j for a model', (json) => {
    expect(readModelJson(json)).toBeNull();
  });
});
