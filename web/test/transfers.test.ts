import { describe, expect, it } from 'vitest';

import { bringers, partOf, type Side, TransferCount } from '../src/page/transfers';
import { transfer as request } from './transfer';

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
  const transfer = (path: string, wireBytes: number, decodedBytes: number, start = 0) =>
    request({ url: site + path, wireBytes, decodedBytes, start });

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
    count.add([transfer('samples/cat.jpg', 500, 480, 10)], 'page');
    count.add([transfer('samples/cat.jpg', 500, 480, 20)], 'page');
    expect(count.bytes('photos')).toEqual({ wireBytes: 1000, decodedBytes: 480 });
  });

  it('counts a request once that is told again when it has ended', () => {
    const count = new TransferCount(addresses);
    count.add([transfer('', 300, 0)], 'page');
    count.add([transfer('', 4300, 9000)], 'page');
    expect(count.bytes('page')).toEqual({ wireBytes: 4300, decodedBytes: 9000 });
  });

  it('names the files of a part as they were asked for, with the requests that brought them', () => {
    const count = new TransferCount(addresses);
    // The worker finds in the cache what the page has preloaded.
    count.add([transfer('assets/worker-1.js', 0, 300, 9)], 'worker');
    count.add([transfer('', 100, 300, 1), transfer('assets/worker-1.js', 90, 300, 3)], 'page');
    count.add(
      [transfer('samples/cat.jpg', 0, 50, 2), transfer('samples/cat.jpg', 0, 50, 4)],
      'page',
    );
    expect(count.files('total').map(({ url }) => url)).toEqual(
      ['', 'samples/cat.jpg', 'assets/worker-1.js'].map((path) => site + path),
    );
    const [runtime] = count.files('runtime');
    const [photo] = count.files('photos');
    expect(runtime && bringers(runtime).map(({ start }) => start)).toEqual([3]);
    expect(photo && bringers(photo).map(({ start }) => start)).toEqual([2]);
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
