/** Fetches the page's own files and checks that what came back is what was asked for. */

import { FailureError } from './failure-error';

/** Fetches files of one page load. */
export class Downloader {
  readonly #cache: RequestCache;
  readonly #early = new Map<string, Promise<Response>>();

  /** @param afresh - Whether to pass over what the browser's cache holds. */
  constructor(afresh: boolean) {
    this.#cache = afresh ? 'reload' : 'default';
  }

  /** Asks for files that will be wanted, before anybody knows what for. */
  hasten(urls: readonly URL[]): void {
    for (const url of urls) {
      const asked = this.#fetch(url);
      // A failure is for the one who wants the file; if nobody does, for no one.
      asked.catch(() => undefined);
      this.#early.set(url.href, asked);
    }
  }

  /** Fetches and parses a JSON file. */
  async json(url: URL): Promise<unknown> {
    const response = await this.#ask(url);
    let body: string;
    try {
      body = await response.text();
    } catch (error) {
      throw new FailureError({ code: 'network', file: fileName(url) }, error);
    }
    try {
      return JSON.parse(body);
    } catch (error) {
      throw new FailureError({ code: 'not-json', file: fileName(url) }, error);
    }
  }

  /**
   * Fetches a binary file.
   *
   * @param arrived - Called with the length of every piece as it comes in.
   */
  async bytes(url: URL, arrived: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer>> {
    const response = await this.#ask(url);
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    try {
      const reader = response.body?.getReader();
      for (;;) {
        const piece = await reader?.read();
        if (!piece || piece.done) {
          break;
        }
        pieces.push(piece.value);
        arrived(piece.value.byteLength);
      }
    } catch (error) {
      throw new FailureError({ code: 'network', file: fileName(url) }, error);
    }
    return joined(pieces);
  }

  /** Returns an answer with a good status that is no page of HTML. */
  async #ask(url: URL): Promise<Response> {
    const file = fileName(url);
    let response: Response;
    try {
      response = await (this.#early.get(url.href) ?? this.#fetch(url));
      // An answer can be read only once.
      this.#early.delete(url.href);
    } catch (error) {
      throw new FailureError({ code: 'network', file }, error);
    }
    if (!response.ok) {
      throw new FailureError({ code: 'http', file, status: response.status });
    }
    // Many hosts answer for a file they lack with their start page and status 200.
    if (response.headers.get('content-type')?.includes('html')) {
      throw new FailureError({ code: 'html', file });
    }
    return response;
  }

  #fetch(url: URL): Promise<Response> {
    return fetch(url, { cache: this.#cache });
  }
}

/** Returns the last part of an address, which is how people know the file. */
export function fileName(url: URL): string {
  return url.pathname.split('/').at(-1) || url.pathname;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.byteLength;
  }
  return whole;
}
