import { describe, expect, it } from 'vitest';

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
    expect(read?.groups).toMatchObject([{ paths: ['a.bin'], bytes: 216 * 4 + 20 + 10 + 4 }]);
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
