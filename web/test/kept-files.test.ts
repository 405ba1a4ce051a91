import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { KeptFiles } from '../src/tagger/kept-files';

const FOLDER = 'https://cdn.test/m/';
const [OLD, NEW] = [`${FOLDER}old.bin`, `${FOLDER}new.bin`];
let kept: Map<string, Response>;
const fetched = vi.fn((file: string) => Promise.resolve(new Response(`host's ${file}`)));

beforeEach(() => {
  kept = new Map([[OLD, new Response('kept')]]);
  const cache = {
    put: (file: string, answer: Response) => Promise.resolve(kept.set(file, answer)),
    keys: () => Promise.resolve([...kept.keys()].map((url) => ({ url }))),
    delete: ({ url }: { readonly url: string }) => Promise.resolve(kept.delete(url)),
  };
  const caches = {
    match: (file: string) => Promise.resolve(kept.get(file)),
    open: () => Promise.resolve(cache),
  };
  vi.stubGlobal('caches', caches);
  vi.stubGlobal('self', { caches });
  vi.stubGlobal('fetch', fetched.mockClear());
});

afterEach(() => {
  vi.unstubAllGlobals();
});

it('answers from the cache, unless that is to be bypassed', async () => {
  const files = new KeptFiles(FOLDER);
  expect(await (await files.fetch(OLD, {})).text()).toBe('kept');
  expect(fetched).not.toHaveBeenCalled();
  expect(await (await files.fetch(OLD, { cache: 'reload' })).text()).toBe(`host's ${OLD}`);
});

it('keeps what came, and of the rest only what the site still names', async () => {
  const files = new KeptFiles(FOLDER);
  const answer = await files.fetch(NEW, {});
  await files.keep(new Map([[NEW, answer]]), new Map([[NEW, '']]));
  expect([...kept.keys()]).toEqual([NEW]);
});

it('goes on where the browser has no cache, or a full disk', async () => {
  const said = vi.spyOn(console, 'info').mockImplementation(() => undefined);
  vi.stubGlobal('caches', { open: () => Promise.reject(new Error('full')) });
  await new KeptFiles(FOLDER).keep(new Map(), new Map());
  expect(said).toHaveBeenCalledOnce();
  vi.stubGlobal('self', {});
  const files = new KeptFiles(FOLDER);
  expect(files.isPossible).toBe(false);
  await files.keep(new Map(), new Map());
  expect(await (await files.fetch(NEW, {})).text()).toBe(`host's ${NEW}`);
});
