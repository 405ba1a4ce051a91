import { afterEach, describe, expect, it, vi } from 'vitest';

import { Downloader } from '../src/worker/download';
import { failureOf } from '../src/worker/failure-error';

const url = new URL('https://example.org/sub/model.bin');

function serve(answer: () => Response) {
  const fetched = vi.fn(async () => answer());
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

const failureOfBytes = () =>
  new Downloader(false).bytes(url, () => undefined).then(() => null, failureOf);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('Downloader', () => {
  it('reports every piece and joins them', async () => {
    serve(() => {
      const pieces = [Uint8Array.of(1, 2), Uint8Array.of(3)];
      return new Response(
        new ReadableStream({
          pull(controller) {
            const piece = pieces.shift();
            if (piece) {
              controller.enqueue(piece);
            } else {
              controller.close();
            }
          },
        }),
      );
    });
    const arrived: number[] = [];
    const bytes = await new Downloader(false).bytes(url, (length) => arrived.push(length));
    expect([...bytes]).toEqual([1, 2, 3]);
    expect(arrived).toEqual([2, 1]);
  });

  it('asks once for a file that was hastened', async () => {
    const fetched = serve(() => new Response('{"a":1}'));
    const downloader = new Downloader(false);
    downloader.hasten([url]);
    expect(await downloader.json(url)).toEqual({ a: 1 });
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it('passes over the cache after a failure', async () => {
    const fetched = serve(() => new Response('{}'));
    await new Downloader(true).json(url);
    expect(fetched).toHaveBeenCalledWith(url, { cache: 'reload' });
  });

  it('tells apart what can go wrong', async () => {
    const file = 'model.bin';
    serve(() => new Response('', { status: 404 }));
    expect(await failureOfBytes()).toEqual({ code: 'http', file, status: 404 });
    serve(() => new Response('', { headers: { 'content-type': 'text/html; charset=utf-8' } }));
    expect(await failureOfBytes()).toEqual({ code: 'html', file });
    serve(() => {
      throw new TypeError('offline');
    });
    expect(await failureOfBytes()).toEqual({ code: 'network', file });
    serve(() => new Response('no json'));
    expect(await new Downloader(false).json(url).then(() => null, failureOf)).toEqual({
      code: 'not-json',
      file,
    });
  });
});
