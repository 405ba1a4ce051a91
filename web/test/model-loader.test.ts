import { gzipSync } from 'node:zlib';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { failureOf } from '../src/worker/failure-error';
import { Incoming } from '../src/worker/incoming-files';
import { receiveModel, receiveWeights } from '../src/worker/model-loader';
import type { Weight } from '../src/worker/weight-assembly';

const packing = { schema: 3, encoding: 'gzip-without-header', scales: [0.5] };
const plain = { name: 'b', shape: [1], dtype: 'int32' };
const packed = { name: 'w', shape: [2], dtype: 'float32', packed: { channels: 1 } };
const bytes = [1, 2, 3, 4, 0, 126, 131];

const contract = (weights: readonly unknown[], more: object = {}, paths = ['a.bin']) => ({
  schema: 4,
  model: {
    name: 'a model',
    source: 'somewhere',
    licence: 'Apache-2.0',
    sha256: '0123456789abcdef'.repeat(4),
    url: 'model/model.json',
    quantization: 'float16',
    weight_bytes: 5,
  },
  input: {
    height: 2,
    width: 2,
    value_range: [0, 1],
    crop_fraction: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    channels: 'rgb',
  },
  output: {
    label_offset: 0,
    activation: 'none',
    task: 'single-label',
    threshold: 0.5,
    labels: ['tench'],
    none_of_these: null,
    features: null,
  },
  graph: { modelTopology: {}, weightsManifest: [{ paths, weights }], ...more },
});

const zipped = (content: string | readonly number[]) =>
  new Uint8Array(
    gzipSync(typeof content === 'string' ? content : Uint8Array.from(content)).subarray(10),
  );

const zippedJson = (json: unknown) => zipped(JSON.stringify(json));

/** Receives a model whose files come in pieces of some bytes; returns its weights. */
async function receive(files: Readonly<Record<string, Uint8Array>>, piece = 7) {
  const incoming = new Incoming(vi.fn());
  const weights = Object.keys(files).filter((file) => file !== 'site/contract.bin');
  for (const [file, content] of Object.entries(files)) {
    for (let at = 0; at < content.length; at += piece) {
      incoming.take({ kind: 'piece', file, bytes: content.slice(at, at + piece) });
    }
    incoming.take({ kind: 'complete', file, digest: null, isWanted: false });
  }
  const [model, add] = await receiveModel(incoming, 'site/contract.bin');
  await receiveWeights(incoming, weights, model.description, add);
  return model.weights;
}

const failureIn = (receiving: Promise<unknown>) => receiving.then(() => null, failureOf);

const bytesOf = (weights: readonly Weight[]) =>
  weights.map(({ data }) => [...new Uint8Array(data)]);
const specsOf = (weights: readonly Weight[]) => weights.map(({ spec }) => spec);

const UNPACKED = [[1, 2, 3, 4], [...new Uint8Array(Float32Array.of(-1, 1.5).buffer)]];

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('receiveModel', () => {
  it('takes a model of which nothing is packed as it is', async () => {
    const weights = await receive({
      'site/contract.bin': zippedJson(contract([plain])),
      'site/model/a.bin': Uint8Array.of(1, 2, 3, 4),
    });
    expect(specsOf(weights)).toEqual([plain]);
    expect(bytesOf(weights)).toEqual([[1, 2, 3, 4]]);
  });

  it.each([1, 7, 1000])('unpacks what comes in pieces of %i bytes', async (piece) => {
    const stream = zipped(bytes);
    const files = {
      'site/contract.bin': zippedJson(contract([plain, packed], { packing }, ['b.bin', 'a.bin'])),
      // Listed in another order than in the manifest, and cut in the midst of the stream.
      'site/model/a.bin': stream.slice(9),
      'site/model/b.bin': stream.slice(0, 9),
    };
    const weights = await receive(files, piece);
    expect(specsOf(weights)).toEqual([plain, { name: 'w', shape: [2], dtype: 'float32' }]);
    expect(bytesOf(weights)).toEqual(UNPACKED);
  });

  it('unpacks where the browser cannot decompress', async () => {
    vi.stubGlobal('DecompressionStream', undefined);
    delete (globalThis as { DecompressionStream?: unknown }).DecompressionStream;
    const files = {
      'site/contract.bin': zippedJson(contract([plain, packed], { packing })),
      'site/model/a.bin': zipped(bytes),
    };
    expect(bytesOf(await receive(files))).toEqual(UNPACKED);
    files['site/model/a.bin'] = files['site/model/a.bin'].slice(0, -12);
    expect(await failureIn(receive(files))).toMatchObject({ code: 'compression', file: 'a.bin' });
  });

  it.each([
    ['cut off', zipped(bytes).slice(0, -9)],
    ['damaged', zipped(bytes).with(10, 0xff)],
    ['with another checksum', zipped(bytes).with(-6, 0xff)],
    ['no stream', Uint8Array.from(bytes)],
    ['followed by more', Uint8Array.of(...zipped(bytes), 1, 2, 3)],
    ['nothing', new Uint8Array(0)],
  ])('names the file that is %s', async (_, stream) => {
    const files = {
      'site/contract.bin': zippedJson(contract([plain, packed], { packing })),
      'site/model/a.bin': stream,
    };
    expect(await failureIn(receive(files))).toMatchObject({ code: 'compression', file: 'a.bin' });
  });

  it.each([bytes.slice(1), [...bytes, 1]])('names the file that holds %j', async (...content) => {
    const received = content.length;
    const files = {
      'site/contract.bin': zippedJson(contract([plain, packed], { packing })),
      'site/model/a.bin': zipped(content),
    };
    expect(await failureIn(receive(files))).toEqual({
      code: 'length',
      file: 'a.bin',
      expected: 7,
      received,
    });
  });

  it('finds a fault of the manifest before the weights have come', async () => {
    const files = { 'site/contract.bin': zippedJson(contract([packed])) };
    expect(await failureIn(receive(files))).toMatchObject({
      code: 'weight',
      weight: 'w',
      fault: { kind: 'schema', found: 'missing' },
    });
  });

  it('names a contract that is no JSON', async () => {
    const files = { 'site/contract.bin': zipped('<html>') };
    expect(await failureIn(receive(files))).toEqual({ code: 'not-json', file: 'contract.bin' });
  });
});
