import { createHash } from 'node:crypto';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { failureOf } from '../src/worker/failure-error';
import { forEachPiece, Incoming } from '../src/worker/incoming-files';

const file = 'https://example.org/model/a.bin';
const damaged = { code: 'damaged', file: 'a.bin' };

const sealed = (content: string) =>
  `sha256-${createHash('sha256').update(content).digest('base64')}`;

/** Delivers `abc` in two pieces; returns what a reader gets, and whether it meets the end. */
async function receive(digest: string | null, isWanted = false) {
  const back: Promise<[string, string]>[] = [];
  const incoming = new Incoming((name, content) => {
    back.push(content.text().then((text) => [name, text]));
  });
  const read: number[] = [];
  const end = forEachPiece([incoming.file(file)], (piece) => void read.push(...piece)).then(
    () => null,
    failureOf,
  );
  incoming.take({ kind: 'piece', file, bytes: Uint8Array.of(97, 98) });
  incoming.take({ kind: 'piece', file, bytes: Uint8Array.of(99) });
  incoming.take({ kind: 'complete', file, digest, isWanted });
  const damage = await incoming.damageIn([file]);
  return { end: await end, read, damage, back: await Promise.all(back) };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('Incoming', () => {
  it.each([
    ['the browser’s own', undefined],
    ['its own, without TLS,', { subtle: undefined }],
  ])('ends a file only if it has its digest, by %s SHA-256', async (_, crypto) => {
    if (crypto) {
      vi.stubGlobal('crypto', crypto);
    }
    expect(await receive(sealed('abc'))).toMatchObject({
      end: null,
      read: [97, 98, 99],
      damage: null,
    });
    const wrong = await receive(sealed('abd'));
    expect(wrong).toMatchObject({ end: damaged, read: [97, 98, 99], damage: damaged });
  });

  it('takes a file without a published digest as it is', async () => {
    expect((await receive(null)).end).toBeNull();
  });

  it('gives a file back that is wanted, if it is right', async () => {
    expect((await receive(sealed('abc'), true)).back).toEqual([[file, 'abc']]);
    expect((await receive(sealed('abd'), true)).back).toEqual([]);
    expect((await receive(sealed('abc'))).back).toEqual([]);
  });

  it('hands pieces on before their file is known to be right', async () => {
    const incoming = new Incoming(vi.fn());
    incoming.take({ kind: 'piece', file, bytes: Uint8Array.of(97) });
    const { value } = await incoming.file(file).getReader().read();
    expect(value).toEqual(Uint8Array.of(97));
  });

  it('tells of one damaged file before the others have come', async () => {
    const incoming = new Incoming(vi.fn());
    const damage = incoming.damageIn(['another.bin', file]);
    incoming.take({ kind: 'complete', file, digest: sealed('abc'), isWanted: false });
    incoming
      .file(file)
      .getReader()
      .closed.catch(() => undefined);
    expect(await damage).toEqual(damaged);
  });
});
