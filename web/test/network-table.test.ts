import { describe, expect, it, vi } from 'vitest';

import type { Transfer } from '../src/messages';
import { leastBytes, leastMs, rowsOf } from '../src/page/network-table';
import { checkNetworks, type Profile } from '../src/schemas/networks';
import type { LoadedFile } from '../src/page/transfers';
import { transfer } from './transfer';

const slow = { name: 'slow-3g', down_bits: 400_000, up_bits: 400_000, round_trip_ms: 400 };
const mobile = { name: '4g', down_bits: 9_000_000, up_bits: null, round_trip_ms: 170 };

describe('the file of networks', () => {
  const visits = { first_tag_ms: 900, full_tag_ms: null, wire_bytes: 1000 };
  const profile = {
    network: '4g',
    host: null,
    backend: 'auto',
    ran_on: 'wasm',
    browser: 'Chromium 1',
    runs: 5,
    first: visits,
    repeat: visits,
  };
  const good = { schema: 1, networks: [mobile], measured: [profile] };

  it('is taken as the tool writes it, also with keys of a later version', () => {
    expect(checkNetworks({ ...good, later: true }, '')).toBe(null);
  });

  it.each([
    ['schema', { schema: 2 }],
    ['networks', { networks: null }],
    ['networks.down_bits', { networks: [{ ...mobile, down_bits: null }] }],
    ['measured.host', { measured: [{ ...profile, host: 'elsewhere' }] }],
    ['measured.repeat', { measured: [{ ...profile, repeat: undefined }] }],
    [
      'measured.first.full_tag_ms',
      { measured: [{ ...profile, first: { ...visits, full_tag_ms: '1' } }] },
    ],
  ])('is refused for %s', (path, change) => {
    expect(checkNetworks({ ...good, ...change }, '')).toMatchObject({ path });
  });
});

describe('leastMs', () => {
  it('is a round trip and the time that the link is busy, as the tool computes it', () => {
    expect(leastMs(mobile, 2_250_000)).toBe(2170);
    expect(leastMs(slow, 0)).toBe(400);
  });
});

describe('rowsOf', () => {
  it('has a row for each measured profile, and one for a network without any', () => {
    const visits = { first_tag_ms: 900, full_tag_ms: null, wire_bytes: 1000 };
    const profile: Profile = {
      network: '4g',
      host: 'toolchain',
      backend: 'auto',
      ran_on: 'wasm',
      browser: 'Chromium 1',
      runs: 5,
      first: visits,
      repeat: visits,
    };
    const plain: Profile = { ...profile, host: 'plain' };
    expect(rowsOf({ schema: 1, networks: [slow, mobile], measured: [profile, plain] })).toEqual([
      { network: slow, profile: null },
      { network: mobile, profile },
      { network: mobile, profile: plain },
    ]);
  });
});

describe('leastBytes', () => {
  const file = (facts: Partial<Transfer>): LoadedFile => {
    const end = performance.timeOrigin + (facts.end ?? 0);
    const request = transfer({ ...facts, end });
    const { url, wireBytes, decodedBytes } = request;
    return { url, wireBytes, decodedBytes, part: 'page', requests: [request] };
  };
  const unknown = (): Promise<null> => Promise.resolve(null);

  it('counts what travelled by the first tag', async () => {
    const files = [file({ wireBytes: 500, end: 90 }), file({ wireBytes: 70, end: 101 })];
    expect(await leastBytes(files, 100, unknown)).toBe(500);
  });

  it('counts what a cache had as it once travelled, with its headers', async () => {
    const kept = vi.fn(() => Promise.resolve(2000));
    const files = [
      file({ encodedBytes: 1000, decodedBytes: 4000 }),
      file({ url: 'https://example.org/a.js', encodedBytes: 9999, isKept: true }),
    ];
    expect(await leastBytes(files, 100, kept)).toBe(1300 + 2300);
    expect(kept.mock.calls).toEqual([['https://example.org/a.js']]);
  });

  it('claims nothing of what nobody knows', async () => {
    expect(await leastBytes([file({ encodedBytes: 9999, isKept: true })], 100, unknown)).toBe(0);
  });
});
