import { afterEach, describe, expect, it, vi } from 'vitest';

import type { ToWorker } from '../src/messages';
import { Downloads } from '../src/page/downloads';

const site = 'https://example.org/sub/';
const files = { contract: `${site}contract.bin`, weights: [`${site}a.bin`], wasm: null };

/** Downloads from stand-ins for the host's answers. */
async function download(
  answer: (file: string) => Response,
  {
    wasm = null as string | null,
    afresh = false,
    keep = false,
    earlyWeights = 0,
    weightsAfter = Promise.resolve(),
  } = {},
) {
  const fetched = vi.fn(async (file: string) => answer(file));
  vi.stubGlobal('fetch', fetched);
  const posted: ToWorker[] = [];
  const progress: number[] = [];
  const finished = vi.fn();
  const downloads = new Downloads((message) => posted.push(message), {
    progress: (bytes) => progress.push(bytes),
    finished,
  });
  await downloads.start({ ...files, wasm }, earlyWeights, { afresh, keep, weightsAfter });
  return { fetched, posted, progress, finished, downloads };
}

const pieces = (...content: Uint8Array<ArrayBuffer>[]) =>
  new ReadableStream({
    start(controller) {
      content.forEach((piece) => controller.enqueue(piece));
      controller.close();
    },
  });

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('Downloads', () => {
  it('hands over every piece, and counts those of weights', async () => {
    const { posted, progress, finished, fetched } = await download((file) =>
      file.endsWith('a.bin')
        ? new Response(pieces(Uint8Array.of(1, 2), Uint8Array.of(3)))
        : new Response('{}'),
    );
    expect(posted.filter((message) => 'file' in message && message.file.endsWith('a.bin'))).toEqual(
      [
        { kind: 'piece', file: files.weights[0], bytes: Uint8Array.of(1, 2) },
        { kind: 'piece', file: files.weights[0], bytes: Uint8Array.of(3) },
        { kind: 'complete', file: files.weights[0] },
      ],
    );
    expect(progress).toEqual([2, 3]);
    expect(finished).toHaveBeenCalledTimes(1);
    expect(fetched.mock.calls.map(([file]) => file)).toEqual([files.contract, files.weights[0]]);
  });

  it('lets all weights but the early ones wait', async () => {
    let paint = (): void => undefined;
    const weightsAfter = new Promise<void>((resolve) => {
      paint = resolve;
    });
    const fetched = vi.fn(async () => new Response('{}'));
    vi.stubGlobal('fetch', fetched);
    const asked = () => fetched.mock.calls.map(([file]: unknown[]) => file);
    const downloads = new Downloads(vi.fn(), { progress: vi.fn(), finished: vi.fn() });
    const weights = [`${site}a.bin`, `${site}b.bin`];
    const done = downloads.start({ ...files, weights }, 1, {
      afresh: false,
      keep: false,
      weightsAfter,
    });
    await new Promise((settled) => setTimeout(settled));
    expect(asked()).toEqual([files.contract, weights[0]]);
    paint();
    await done;
    expect(asked()).toEqual([files.contract, ...weights]);
  });

  it.each(['application/wasm', 'application/octet-stream'])(
    'hands over the WebAssembly compiled, where the host calls it %s',
    async (type) => {
      const wasm = `${site}a.wasm`;
      // The magic number and the version: a module with nothing in it.
      const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
      const headers = { 'content-type': type };
      const { posted } = await download(
        (file) => (file === wasm ? new Response(empty, { headers }) : new Response('{}')),
        { wasm },
      );
      await vi.waitFor(() => {
        expect(posted).toContainEqual({
          kind: 'compiled',
          file: wasm,
          module: expect.any(WebAssembly.Module) as unknown,
        });
      });
    },
  );

  it('tells of WebAssembly that is damaged', async () => {
    const wasm = `${site}a.wasm`;
    const { posted } = await download(() => new Response('?'), { wasm });
    await vi.waitFor(() => {
      expect(posted).toContainEqual({
        kind: 'missing',
        file: wasm,
        failure: expect.objectContaining({ code: 'backend', backend: 'wasm' }) as unknown,
      });
    });
  });

  it('keeps whole answers where asked to', async () => {
    const answer = (file: string) => new Response(file);
    expect((await download(answer)).downloads.kept.size).toBe(0);
    const { kept } = (await download(answer, { keep: true })).downloads;
    expect([...kept.keys()]).toEqual([files.contract, files.weights[0]]);
    expect(await kept.get(files.contract)?.text()).toBe(files.contract);
  });

  it('passes over the cache after a failure', async () => {
    const { fetched } = await download(() => new Response('{}'), { afresh: true });
    expect(fetched).toHaveBeenCalledWith(
      files.contract,
      expect.objectContaining({ cache: 'reload' }),
    );
  });

  it.each<[object, () => Response]>([
    [{ code: 'http', file: 'a.bin', status: 404 }, () => new Response('', { status: 404 })],
    [
      { code: 'html', file: 'a.bin' },
      () => new Response('', { headers: { 'content-type': 'text/html; charset=utf-8' } }),
    ],
    [
      { code: 'network', file: 'a.bin' },
      () => {
        throw new TypeError('offline');
      },
    ],
  ])('tells of %j', async (failure, answer) => {
    const { posted, finished } = await download((file) =>
      file.endsWith('a.bin') ? answer() : new Response('{}'),
    );
    expect(posted).toContainEqual({ kind: 'missing', file: files.weights[0], failure });
    expect(finished).not.toHaveBeenCalled();
  });
});
