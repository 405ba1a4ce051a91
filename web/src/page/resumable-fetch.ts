/** Fetches files over a connection that may break; a download resumes where it stopped. */

import type { Failure } from '../messages';

/** Attempts in a row without a new byte before it gives up. */
const ATTEMPTS = 5;
/** The longest first pause in milliseconds; each later one may be twice as long. */
const PAUSE_MS = 1000;
/** The 4xx codes worth a retry (RFC 9110, RFC 8470, RFC 6585); all 5xx are. */
const PASSING_STATUS = [408, 425, 429];
const RANGE_NOT_SATISFIABLE = 416;

/** Fetches a file, as `fetch` does. */
export type Fetch = (file: string, init: RequestInit) => Promise<Response>;

/** How to fetch. */
export interface ResumableOptions {
  readonly signal: AbortSignal;
  /** Whether to bypass the browser's cache. */
  readonly bypassCache: boolean;
  /** Fetches whole files in place of `fetch`; with `cache: 'reload'` from the host. */
  readonly fetchWhole?: Fetch;
  /** Called with the first answer, whose body is for {@link resumableFetch} alone. */
  readonly opened: (answer: Response) => void;
  /** Called when the connection breaks, and when something comes again. */
  readonly interrupted: (isInterrupted: boolean) => void;
}

/** Something that should be told to the visitor. */
export class Refused extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.code);
    this.failure = failure;
  }
}

/**
 * Calls back with each piece of a file, in their order.
 *
 * Where the connection breaks it goes on from there, after pauses that double and differ from
 * visitor to visitor; without network it waits for that.
 *
 * @throws {@link Refused} where the host has no such file; what `fetch` throws, in the end.
 */
export async function resumableFetch(
  file: string,
  take: (piece: Uint8Array<ArrayBuffer>) => void,
  { signal, bypassCache, fetchWhole = fetch, opened, interrupted }: ResumableOptions,
): Promise<void> {
  let received = 0;
  let failures = 0;
  // The browser's cache may hold what caused the failure.
  const whole = (): Promise<Response> =>
    fetchWhole(file, { signal, ...((bypassCache || failures > 0) && { cache: 'reload' }) });
  for (;;) {
    const before = received;
    try {
      const answer = accepted(
        file,
        received ? await rest(file, received, signal, whole) : await whole(),
      );
      opened(answer);
      // A host without Range support sends the first bytes again.
      let known = answer.status === 206 ? 0 : received;
      for await (const piece of pieces(answer)) {
        interrupted(false);
        const news = piece.subarray(known);
        known -= piece.length - news.length;
        if (news.length > 0) {
          received += news.length;
          take(news);
        }
      }
      interrupted(false);
      return;
    } catch (error) {
      failures = received > before ? 1 : failures + 1;
      if (signal.aborted || !isPassing(error) || failures === ATTEMPTS) {
        throw error;
      }
      interrupted(true);
      await pause(failures, signal);
    }
  }
}

/** Returns an answer that goes on from a byte, or the whole where the host cannot. */
async function rest(
  file: string,
  from: number,
  signal: AbortSignal,
  whole: () => Promise<Response>,
): Promise<Response> {
  const answer = await fetch(file, {
    signal,
    cache: 'no-store',
    headers: { range: `bytes=${from}-` },
  });
  const { status, headers } = answer;
  const isOther =
    status === 206 &&
    // Bytes of what travels are not those of the file.
    (headers.has('content-encoding') ||
      !headers.get('content-range')?.startsWith(`bytes ${from}-`));
  if (isOther || status === RANGE_NOT_SATISFIABLE) {
    void answer.body?.cancel();
    return whole();
  }
  return answer;
}

/** Takes only answers with a good status that are no page of HTML. */
function accepted(file: string, answer: Response): Response {
  if (!answer.ok) {
    throw new Refused({ code: 'http', file: nameOf(file), status: answer.status });
  }
  // Many hosts answer requests for missing files with their start page and status 200.
  if (answer.headers.get('content-type')?.includes('html')) {
    throw new Refused({ code: 'html', file: nameOf(file) });
  }
  return answer;
}

async function* pieces({ body }: Response): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body?.getReader();
  for (;;) {
    const piece = await reader?.read();
    if (!piece || piece.done) {
      return;
    }
    yield piece.value;
  }
}

/** Says whether trying again may help. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Refused)) {
    return true;
  }
  const { failure } = error;
  return (
    failure.code === 'http' && (failure.status >= 500 || PASSING_STATUS.includes(failure.status))
  );
}

async function pause(failures: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = new AbortController();
    const end = (): void => {
      done.abort();
      resolve();
    };
    const listening = { signal: done.signal };
    addEventListener('online', end, listening);
    signal.addEventListener('abort', end, listening);
    if (navigator.onLine) {
      setTimeout(end, PAUSE_MS * 2 ** (failures - 1) * (0.5 + Math.random() / 2));
    }
  });
}

/** Returns the last part of an address, which is how people know the file. */
export function nameOf(file: string): string {
  return file.split('/').at(-1) || file;
}
