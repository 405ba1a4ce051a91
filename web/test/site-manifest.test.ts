import { describe, expect, it } from 'vitest';

import { folderOf, namedSite } from '../src/tagger/site-manifest';

const file = (url: string): object => ({ url, integrity: `sha256-${url}` });

const manifest = {
  schema: 1,
  model: { name: 'tiny', source: 'here', licence: 'MIT', sha256: 'abc', task: 'single-label' },
  drop: { points: 0.4, low: 0.1, high: 0.7, measure: 'top-1' },
  weight_bytes: 7,
  contract: file('contract.1.bin'),
  weights: [file('model/a b.bin')],
  worker: [file('assets/worker.js'), file('assets/more.js')],
  simd: file('assets/simd.wasm'),
  plain: file('assets/plain.wasm'),
  teaching: null,
};

describe('folderOf', () => {
  it.each([
    ['/model', 'https://app.test/model/'],
    ['/model/', 'https://app.test/model/'],
    ['model/index.html?variant=a#b', 'https://app.test/page/model/'],
    ['https://cdn.test/v1.2/', 'https://cdn.test/v1.2/'],
    ['https://cdn.test', 'https://cdn.test/'],
  ])('takes %s for %s', (site, folder) => {
    expect(folderOf(site, 'https://app.test/page/index.html')).toBe(folder);
  });
});

describe('namedSite', () => {
  const folder = 'https://cdn.test/m/';

  it('makes all addresses absolute, with their digests', () => {
    const { drop, files, code, teaching } = namedSite(manifest, folder);
    expect(teaching).toBeNull();
    const module = file('tagger-teach.js');
    const taught = namedSite(
      { ...manifest, teaching: { width: 3, module, solver: module } },
      folder,
    );
    expect(taught.teaching?.solver.url).toBe(`${folder}tagger-teach.js`);
    expect(drop?.points).toBe(0.4);
    expect(files.weights).toEqual([`${folder}model/a%20b.bin`]);
    expect(code.script).toBe(`${folder}assets/worker.js`);
    expect(code.digests.worker.get(`${folder}assets/more.js`)).toBe('sha256-assets/more.js');
    expect(code.digests.files.get(files.contract)).toBe('sha256-contract.1.bin');
    expect(code.wasm).toBe(`${folder}assets/simd.wasm`);
  });

  it.each([
    ['a later version', { ...manifest, schema: 2 }, /version 2 .* version 1/],
    ['a missing file', { ...manifest, contract: undefined }, /contract is not/],
    ['no worker', { ...manifest, worker: [] }, /worker is not/],
    ['no object', null, /tagger\.json cannot be used/],
  ])('refuses %s', (_, json, sentence) => {
    expect(() => namedSite(json, folder)).toThrow(sentence);
  });
});
