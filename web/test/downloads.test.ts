import { createHash } from 'node:crypto';

import { afterEach, describe, expect, it, vi } from 'vitest';

import type { Failure, ToWorker } from '../src/messages';
import { Downloads } from '../src/page/downloads';

const site = 'https://example.org/sub/';
const [contract, weights, script] = [`${site}contract.bin`, `${site}a.bin`, `${site}worker.js`];
const files = { contract, weights: [weights], wasm: null };

const sealed = (content: string | Uint8Array) =>
  `sha256-${createHash('sha256').update(content).digest('base64')}`;

/** Downloads from stand-ins for the host's answers. */
async function download(
  answer: (file: string) => Response,
  {
    wasm = null as string | null,
    bypassCache = false,
    keep = false,
    earlyWeights = 0,
    weightsAfter = Promise.resolve(),
    digests = [] as [string, string][],
    workerDigests = [] as [string, string][],
  } = {},
) {
  const fetched = vi.fn((file: string) => Promise.resolve(answer(file)));
  vi.stubGlobal('fetch', fetched);
  const posted: ToWorker[] = [];
  const progress: number[] = [];
  const failures: Failure[] = [];
  const finished = vi.fn();
  const downloads = new Downloads(
    (message) => posted.push(message),
    {
      progress: (bytes) => progress.push(bytes),
      finished,
      interrupted: vi.fn(),
      failed: (failure) => failures.push(failure),
    },
    { files: new Map(digests), worker: new Map(workerDigests), features: new Map() },
  );
  const scripts = downloads.checkScripts(bypassCache);
  await downloads.start(
    { ...files, wasm },
    earlyWeights,
    { bypassCache, keep, weightsAfter },
    scripts,
  );
  return { fetched, posted, progress, finished, failures, downloads };
}

const pieces = (...content: Uint8Array<ArrayBuffer>[]) =>
  new ReadableStream({
    start(controller) {
      content.forEach((piece) => controller.enqueue(piece));
      controller.close();
    },
  });

const of = (file: string, posted: readonly ToWorker[]) =>
  posted.filter((message) => 'file' in message && message.file === file);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('Downloads', () => {
  it('hands over every piece, and counts those of weights', async () => {
    const { posted, progress, finished, fetched, downloads } = await download((file) =>
      file === weights
        ? new Response(pieces(Uint8Array.of(1, 2), Uint8Array.of(3)))
        : new Response('{}'),
    );
    expect(of(weights, posted)).toEqual([
      { kind: 'piece', file: weights, bytes: Uint8Array.of(1, 2) },
      { kind: 'piece', file: weights, bytes: Uint8Array.of(3) },
      { kind: 'complete', file: weights, digest: null, isWanted: false },
    ]);
    expect(progress).toEqual([2, 3]);
    expect(finished).toHaveBeenCalledTimes(1);
    expect(await downloads.areRight).toBe(true);
    expect(fetched.mock.calls.map(([file]) => file)).toEqual([contract, weights]);
  });

  it('lets all weights but the early ones wait', async () => {
    let paint = (): void => undefined;
    const weightsAfter = new Promise<void>((resolve) => {
      paint = resolve;
    });
    const fetched = vi.fn(() => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', fetched);
    const asked = () => fetched.mock.calls.map(([file]: unknown[]) => file);
    const downloads = new Downloads(
      vi.fn(),
      { progress: vi.fn(), finished: vi.fn(), interrupted: vi.fn(), failed: vi.fn() },
      { files: new Map(), worker: new Map(), features: new Map() },
    );
    const both = [weights, `${site}b.bin`];
    const done = downloads.start({ ...files, weights: both }, 1, {
      bypassCache: false,
      keep: false,
      weightsAfter,
    });
    await new Promise((settled) => setTimeout(settled));
    expect(asked()).toEqual([contract, weights]);
    paint();
    await done;
    expect(asked()).toEqual([contract, ...both]);
  });

  it('tells the worker what the digests of its files should be', async () => {
    const { posted, failures } = await download(() => new Response('abc'), {
      digests: [[weights, 'sha256-other']],
    });
    const end = { kind: 'complete', file: weights, digest: 'sha256-other', isWanted: false };
    expect(of(weights, posted).at(-1)).toEqual(end);
    expect(failures).toEqual([]);
  });

  it('holds the worker’s scripts against theirs', async () => {
    const { failures, downloads } = await download(() => new Response('abc'), {
      workerDigests: [[script, sealed('other')]],
    });
    expect(failures).toEqual([{ code: 'damaged', file: 'worker.js' }]);
    expect(await downloads.areRight).toBe(false);
  });

  // The magic number and the version: a module with nothing in it.
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const wasm = `${site}a.wasm`;

  it.each(['application/wasm', 'application/octet-stream'])(
    'hands over the WebAssembly compiled, where the host calls it %s',
    async (type) => {
      const headers = { 'content-type': type };
      const { posted } = await download(
        (file) => (file === wasm ? new Response(empty, { headers }) : new Response('{}')),
        { wasm, digests: [[wasm, sealed(empty)]] },
      );
      const module = expect.any(WebAssembly.Module) as unknown;
      expect(posted).toContainEqual({ kind: 'compiled', file: wasm, module });
    },
  );

  it('does not hand over WebAssembly that is another', async () => {
    const { posted, failures } = await download(() => new Response(empty), {
      wasm,
      digests: [[wasm, sealed('another')]],
    });
    expect(of(wasm, posted)).toEqual([]);
    expect(failures).toEqual([{ code: 'damaged', file: 'a.wasm' }]);
  });

  it('tells of WebAssembly that this browser does not understand', async () => {
    const { failures } = await download(() => new Response('?'), { wasm });
    expect(failures).toEqual([expect.objectContaining({ code: 'backend', backend: 'wasm' })]);
  });

  it('keeps whole answers where asked to', async () => {
    const answer = (file: string) => new Response(file, { headers: { 'x-kind': 'file' } });
    expect((await download(answer)).downloads.kept.size).toBe(0);
    const { kept } = (await download(answer, { keep: true })).downloads;
    expect([...kept.keys()]).toEqual([contract, weights]);
    expect(await kept.get(contract)?.text()).toBe(contract);
    expect(kept.get(contract)?.headers.get('x-kind')).toBe('file');
  });

  /** Whether this is the first time that a file is asked for whose answer breaks off. */
  const breaking = (broken: string) => {
    let asked = 0;
    return (file: string) => {
      const headers = { 'x-kind': file };
      if (file !== broken || ++asked > 1) {
        return new Response(empty, { headers });
      }
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(empty.slice(0, 1)),
        pull: (controller) => controller.error(new TypeError('network error')),
      });
      return new Response(body, { headers });
    };
  };

  const atOnce = () => {
    vi.stubGlobal('navigator', { onLine: false });
    // The network is back at once.
    vi.stubGlobal('addEventListener', (_: string, listener: () => void) => listener());
  };

  it('asks the worker for what came in several answers, to keep it whole', async () => {
    atOnce();
    const { failures, downloads, posted } = await download(breaking(weights), { keep: true });
    expect(failures).toEqual([]);
    expect(of(weights, posted).at(-1)).toMatchObject({ kind: 'complete', isWanted: true });
    expect(of(contract, posted).at(-1)).toMatchObject({ kind: 'complete', isWanted: false });
    expect([...downloads.kept.keys()]).toEqual([contract]);
    downloads.keep(weights, new Blob([empty]));
    expect(await downloads.kept.get(weights)?.bytes()).toEqual(empty);
    expect(downloads.kept.get(weights)?.headers.get('x-kind')).toBe(weights);
  });

  it('keeps WebAssembly that came in several answers', async () => {
    atOnce();
    const { failures, downloads } = await download(breaking(wasm), { keep: true, wasm });
    expect(failures).toEqual([]);
    expect(await downloads.kept.get(wasm)?.bytes()).toEqual(empty);
  });

  it('asks for nothing back that is not to be kept', async () => {
    atOnce();
    const { downloads, posted } = await download(breaking(weights));
    expect(of(weights, posted).at(-1)).toMatchObject({ kind: 'complete', isWanted: false });
    expect(downloads.kept.size).toBe(0);
  });

  it('passes over the cache after a failure', async () => {
    const { fetched } = await download(() => new Response('{}'), { bypassCache: true });
    expect(fetched).toHaveBeenCalledWith(contract, expect.objectContaining({ cache: 'reload' }));
  });

  it.each<[Failure, () => Response]>([
    [{ code: 'http', file: 'a.bin', status: 404 }, () => new Response('', { status: 404 })],
    [
      { code: 'html', file: 'a.bin' },
      () => new Response('', { headers: { 'content-type': 'text/html; charset=utf-8' } }),
    ],
  ])('tells of %j', async (failure, answer) => {
    const { failures, finished } = await download((file) =>
      file === weights ? answer() : new Response('{}'),
    );
    expect(failures).toEqual([failure]);
    expect(finished).not.toHaveBeenCalled();
  });
});
