import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { resumableFetch } from '../src/page/resumable-fetch';

const file = 'https://example.org/a.bin';
const content = Uint8Array.from({ length: 20 }, (_, place) => place);

type Asked = { readonly range: string | null; readonly cache: RequestCache | undefined };
type Host = (asked: Asked) => Response;

/** An answer that breaks off after some bytes. */
function broken(bytes: Uint8Array<ArrayBuffer>, init: ResponseInit = {}): Response {
  let isSent = false;
  const body = new ReadableStream({
    pull(controller) {
      if (isSent) {
        controller.error(new TypeError('network error'));
      } else {
        isSent = true;
        controller.enqueue(bytes);
      }
    },
  });
  return new Response(body, init);
}

const rest = (from: number, headers: Record<string, string> = {}) => ({
  status: 206,
  headers: { 'content-range': `bytes ${from}-19/20`, ...headers },
});

/** Fetches from hosts, one for each attempt; the last one stays. */
async function fetched(hosts: readonly Host[], signal = new AbortController().signal) {
  const asked: Asked[] = [];
  const took: number[] = [];
  const told: boolean[] = [];
  vi.stubGlobal('fetch', (_: string, { headers, cache }: RequestInit = {}) => {
    const request = { range: new Headers(headers).get('range'), cache };
    asked.push(request);
    const host = hosts[Math.min(asked.length, hosts.length) - 1] as Host;
    return new Promise<Response>((resolve) => resolve(host(request)));
  });
  const done = resumableFetch(file, (piece) => took.push(...piece), {
    signal,
    bypassCache: false,
    opened: vi.fn(),
    interrupted: (isInterrupted) => told.push(isInterrupted),
  }).then(
    () => null,
    (error: unknown) => error,
  );
  await vi.runAllTimersAsync();
  return { asked, took, told, done };
}

const offline = (): Response => {
  throw new TypeError('failed to fetch');
};

let comesOnline: (() => void) | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  comesOnline = undefined;
  vi.stubGlobal('navigator', { onLine: true });
  vi.stubGlobal('addEventListener', (_: string, listener: () => void) => {
    comesOnline = listener;
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('resumableFetch', () => {
  it('goes on where the connection broke', async () => {
    const { asked, took, told, done } = await fetched([
      () => broken(content.slice(0, 5)),
      () => broken(content.slice(5, 12), rest(5)),
      () => new Response(content.slice(12), rest(12)),
    ]);
    expect(await done).toBeNull();
    expect(took).toEqual([...content]);
    expect(asked).toEqual([
      { range: null, cache: undefined },
      { range: 'bytes=5-', cache: 'no-store' },
      { range: 'bytes=12-', cache: 'no-store' },
    ]);
    expect(told.at(-1)).toBe(false);
    expect(told).toContain(true);
  });

  it('passes over what a host without ranges sends once more', async () => {
    const { took, done } = await fetched([
      () => broken(content.slice(0, 5)),
      () => broken(content.slice(0, 3)),
      () => new Response(content),
    ]);
    expect(await done).toBeNull();
    expect(took).toEqual([...content]);
  });

  it.each<[string, ResponseInit]>([
    ['other bytes than those asked for', rest(4)],
    ['bytes of a compressed file', rest(5, { 'content-encoding': 'br' })],
    ['no bytes', { status: 416 }],
  ])('takes the whole where a host gives %s', async (_, init) => {
    const { took, done } = await fetched([
      () => broken(content.slice(0, 5)),
      () => new Response(Uint8Array.of(99), init),
      () => new Response(content),
    ]);
    expect(await done).toBeNull();
    expect(took).toEqual([...content]);
  });

  it.each([500, 503, 429])('asks again after status %i', async (status) => {
    const { asked, took, done } = await fetched([
      () => new Response('', { status }),
      () => new Response(content),
    ]);
    expect(await done).toBeNull();
    expect(asked).toHaveLength(2);
    expect(took).toEqual([...content]);
  });

  it.each([404, 403, 410])('believes status %i', async (status) => {
    const { asked, done } = await fetched([() => new Response('', { status })]);
    expect(await done).toMatchObject({ failure: { code: 'http', file: 'a.bin', status } });
    expect(asked).toHaveLength(1);
  });

  it('gives up in the end', async () => {
    const { asked, done } = await fetched([offline]);
    expect(await done).toBeInstanceOf(TypeError);
    expect(asked).toHaveLength(5);
  });

  it('does not count attempts that brought something', async () => {
    const slow = Array.from(
      { length: 19 },
      (_, place) => () => broken(content.slice(place, place + 1), place ? rest(place) : {}),
    );
    const { took, done } = await fetched([
      ...slow,
      () => new Response(content.slice(19), rest(19)),
    ]);
    expect(await done).toBeNull();
    expect(took).toEqual([...content]);
  });

  it('waits for the network where there is none', async () => {
    vi.stubGlobal('navigator', { onLine: false });
    const { asked, took, done } = await fetched([offline, () => new Response(content)]);
    expect(asked).toHaveLength(1);
    comesOnline?.();
    expect(await done).toBeNull();
    expect(took).toEqual([...content]);
  });

  it('ends when it is no longer wanted', async () => {
    const unwanted = new AbortController();
    unwanted.abort();
    const { asked, done } = await fetched([offline], unwanted.signal);
    expect(await done).toBeInstanceOf(TypeError);
    expect(asked).toHaveLength(1);
  });
});
