import { describe, expect, it } from 'vitest';

import { partOf, type Side, TransferCount } from '../src/page/transfers';

const site = 'https://example.org/some/sub/';
const addresses = {
  worker: `${site}assets/worker-1.js`,
  preview: new Set([`${site}preview/contract.2.bin`]),
  model: new Set([`${site}contract.1.bin`, `${site}model/group1-shard1of1.bin`]),
  photos: new Set([`${site}samples/cat.jpg`]),
};

describe('partOf', () => {
  it.each<[string, Side, string]>([
    ['', 'page', 'page'],
    ['assets/page-1.js', 'page', 'page'],
    ['assets/page-1.css', 'page', 'page'],
    ['assets/worker-1.js', 'page', 'runtime'],
    ['assets/engine-1.js', 'worker', 'runtime'],
    ['assets/tfjs-simd-1.wasm', 'page', 'wasm'],
    ['preview/contract.2.bin', 'page', 'preview'],
    ['contract.1.bin', 'page', 'model'],
    ['model/group1-shard1of1.bin', 'page', 'model'],
    ['samples/cat.jpg', 'page', 'photos'],
  ])('puts %j of the %s under %s', (path, side, part) => {
    expect(partOf(site + path, side, addresses)).toBe(part);
  });

  it.each(['blob:https://example.org/1', 'data:,'])('leaves out %s', (url) => {
    expect(partOf(url, 'page', addresses)).toBeNull();
  });
});

describe('TransferCount', () => {
  const transfer = (path: string, wireBytes: number, decodedBytes: number) => ({
    url: site + path,
    wireBytes,
    decodedBytes,
  });

  it('adds up by part and over all', () => {
    const count = new TransferCount(addresses);
    count.add([transfer('', 900, 2000), transfer('assets/page-1.js', 100, 300)], 'page');
    count.add([transfer('contract.1.bin', 40, 50)], 'page');
    expect(count.bytes('page')).toEqual({ wireBytes: 1000, decodedBytes: 2300 });
    expect(count.bytes('model')).toEqual({ wireBytes: 40, decodedBytes: 50 });
    expect(count.bytes('wasm')).toEqual({ wireBytes: 0, decodedBytes: 0 });
    expect(count.bytes('total')).toEqual({ wireBytes: 1040, decodedBytes: 2350 });
  });

  it('counts the wire as often as it was used, and the content once', () => {
    const count = new TransferCount(addresses);
    count.add([transfer('samples/cat.jpg', 500, 480)], 'page');
    count.add([transfer('samples/cat.jpg', 500, 480)], 'page');
    expect(count.bytes('photos')).toEqual({ wireBytes: 1000, decodedBytes: 480 });
  });

  it('puts a file where the worker needs it, whoever asked first', () => {
    for (const order of [['page', 'worker'] as const, ['worker', 'page'] as const]) {
      const count = new TransferCount(addresses);
      order.forEach((side) => count.add([transfer('assets/engine-1.js', 10, 20)], side));
      expect(count.bytes('runtime').decodedBytes).toBe(20);
      expect(count.bytes('page').decodedBytes).toBe(0);
    }
  });
});
