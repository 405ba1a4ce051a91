import { describe, expect, it } from 'vitest';

import { BACKENDS } from '../src/messages';
import { availableBackends } from '../src/page/available-backends';
import {
  addressPreference,
  addressWithBackend,
  previewPreference,
  rememberedPreference,
  fallbackPreference,
} from '../src/page/backend-preference';

const race = { first: 'wasm', firstMs: 12, gpu: 'webgl', gpuMs: 3 } as const;
const all = new Set(BACKENDS);

describe('addressPreference', () => {
  it.each(BACKENDS)('hears of %s', (backend) => {
    expect(addressPreference(`?photo=1&backend=${backend}`)).toEqual({
      kind: 'forced',
      backend,
      reason: { code: 'forced' },
    });
  });

  it.each(['', '?backend=', '?backend=auto', '?backend=tpu'])('passes over "%s"', (search) => {
    expect(addressPreference(search)).toBe(null);
  });
});

describe('addressWithBackend', () => {
  const site = 'https://example.org/site/';

  it.each(BACKENDS)('asks for %s', (backend) => {
    const address = addressWithBackend(`${site}?photo=1&backend=cpu#tags`, backend);
    expect(address).toBe(`${site}?photo=1&backend=${backend}`);
    expect(addressPreference(new URL(address).search)?.backend).toBe(backend);
  });

  it('asks for none where the page is to choose', () => {
    expect(addressWithBackend(`${site}?backend=cpu`, 'auto')).toBe(site);
  });
});

describe('rememberedPreference', () => {
  it('is a comparison on a first visit, and its outcome on a later one', () => {
    expect(rememberedPreference({ choice: null, race: null }, all)).toEqual({ kind: 'compare' });
    expect(rememberedPreference({ choice: null, race }, all)).toEqual({ kind: 'remembered', race });
  });

  it('puts a choice before a comparison', () => {
    expect(rememberedPreference({ choice: 'cpu', race }, all)).toEqual({
      kind: 'forced',
      backend: 'cpu',
      reason: { code: 'chosen' },
    });
  });

  it('does not try what the browser lacks', () => {
    expect(rememberedPreference({ choice: 'webgpu', race }, new Set(['wasm', 'cpu']))).toEqual({
      kind: 'forced',
      backend: 'wasm',
      reason: { code: 'chosen-missing', chosen: 'webgpu' },
    });
  });
});

describe('previewPreference', () => {
  it('is what a visit starts with, and no comparison', () => {
    const first = { kind: 'forced', backend: 'wasm', reason: { code: 'first' } };
    expect(previewPreference({ kind: 'compare' }, all)).toEqual(first);
    expect(previewPreference({ kind: 'remembered', race }, all)).toEqual(first);
    expect(previewPreference({ kind: 'compare' }, new Set(['cpu']))).toEqual({
      kind: 'forced',
      backend: 'cpu',
      reason: { code: 'no-wasm' },
    });
  });

  it('is what is asked for where one backend is', () => {
    const forced = { kind: 'forced', backend: 'webgl', reason: { code: 'chosen' } } as const;
    expect(previewPreference(forced, all)).toBe(forced);
  });
});

describe('fallbackPreference', () => {
  it.each([
    ['webgl', BACKENDS, 'wasm'],
    ['webgl', ['webgl', 'cpu'], 'cpu'],
    ['cpu', BACKENDS, 'wasm'],
    ['wasm', BACKENDS, 'cpu'],
  ] as const)('of %s among %j is %s', (chosen, offered, backend) => {
    const reason = { code: 'chosen-failed', chosen, detail: 'it did not start' } as const;
    expect(fallbackPreference(reason, new Set(offered))).toEqual({
      kind: 'forced',
      backend,
      reason,
    });
  });
});

describe('availableBackends', () => {
  it('has all where nothing is missing', () => {
    const window = { WebAssembly, OffscreenCanvas, WebGL2RenderingContext, navigator: { gpu: {} } };
    expect(availableBackends(window)).toEqual(all);
  });

  it('goes without what is missing', () => {
    expect(availableBackends({ navigator: {} })).toEqual(new Set(['cpu']));
    expect(availableBackends({ OffscreenCanvas, navigator: {} })).toEqual(new Set(['cpu']));
    expect(availableBackends({ WebAssembly, navigator: {} })).toEqual(new Set(['wasm', 'cpu']));
  });
});

class OffscreenCanvas {}
class WebGL2RenderingContext {}
