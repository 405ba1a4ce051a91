import { afterEach, describe, expect, it, vi } from 'vitest';

import { Downloader } from '../src/worker/download';
import { failureOf } from '../src/worker/failure-error';
import { fetchModel, unpackModel } from '../src/worker/model-files';

const contract = {
  schema: 1,
  model: {
    name: 'a model',
    source: 'somewhere',
    licence: 'Apache-2.0',
    sha256: 'ab',
    url: 'model/model.json',
    quantization: 'float16',
    weight_bytes: 5,
  },
  input: { height: 2, width: 2, value_range: [0, 1], crop_fraction: 1 },
  output: { label_offset: 0, activation: 'none', labels: ['tench'] },
};

const plain = { name: 'b', shape: [1], dtype: 'int32' };
const packed = { name: 'w', shape: [2], dtype: 'float32', packed: { channels: 1 } };

const model = (weights: readonly unknown[], more: object = {}) => ({
  modelTopology: {},
  weightsManifest: [{ paths: ['a.bin'], weights }],
  ...more,
});

function fetchFrom(modelJson: unknown, bytes: readonly number[]) {
  const files: Readonly<Record<string, BodyInit>> = {
    'contract.json': JSON.stringify(contract),
    'model/model.json': JSON.stringify(modelJson),
    'model/a.bin': Uint8Array.from(bytes),
  };
  const base = new URL('https://example.org/site/');
  const fetched = vi.fn(async (url: URL) => new Response(files[url.href.slice(base.href.length)]));
  vi.stubGlobal('fetch', fetched);
  const fetching = fetchModel(new Downloader(false), base, 'contract.json', () => undefined);
  return { fetched, fetching };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('unpackModel', () => {
  it('does not touch a model of which nothing is packed', async () => {
    const files = await fetchFrom(model([plain]), [1, 2, 3, 4]).fetching;
    const { weightSpecs, weightData } = files.artifacts;
    unpackModel(files);
    expect(files.artifacts.weightSpecs).toBe(weightSpecs);
    expect(files.artifacts.weightData).toBe(weightData);
    expect(weightSpecs).toEqual([plain]);
  });

  it('puts ordinary weights in the place of packed ones, once', async () => {
    const packing = { schema: 1, scales: [0.5] };
    const files = await fetchFrom(model([plain, packed], { packing }), [1, 2, 3, 4, 0, 126, 131])
      .fetching;
    unpackModel(files);
    const { weightSpecs, weightData } = files.artifacts;
    expect(weightSpecs).toEqual([plain, { name: 'w', shape: [2], dtype: 'float32' }]);
    expect(weightData).toEqual([Uint8Array.of(1, 2, 3, 4).buffer, Float32Array.of(-1, 1.5).buffer]);
    unpackModel(files);
    expect(files.artifacts.weightData).toBe(weightData);
  });

  it('leaves a fault of the manifest to be found before the weights are asked for', async () => {
    const { fetched, fetching } = fetchFrom(model([packed]), [0, 1, 2]);
    expect(await fetching.then(() => null, failureOf)).toMatchObject({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'schema', found: 'missing' },
    });
    expect(fetched).toHaveBeenCalledTimes(2);
  });

  it('names the file, as of other models, whose length is wrong', async () => {
    const packing = { schema: 1, scales: [0.5] };
    const { fetching } = fetchFrom(model([packed], { packing }), [0, 1]);
    expect(await fetching.then(() => null, failureOf)).toEqual({
      code: 'length',
      file: 'a.bin',
      expected: 3,
      received: 2,
    });
  });
});
