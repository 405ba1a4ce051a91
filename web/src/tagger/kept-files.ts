/** Keeps a model's files in the browser, so that a second visit downloads nothing. */

/** The files of one site that this origin keeps. */
export class KeptFiles {
  readonly #name: string;
  /** Files that came from the cache and need not be put there again. */
  readonly #answered = new Set<string>();

  /** @param folder - The site's address. */
  constructor(folder: string) {
    this.#name = `toolchain tagger ${folder}`;
  }

  /** Whether this browser has a cache for pages; over plain HTTP it has none. */
  get isPossible(): boolean {
    return 'caches' in self;
  }

  /** Fetches a file, or takes it from any cache of this origin, unless that is to be bypassed. */
  readonly fetch = async (file: string, init: RequestInit): Promise<Response> => {
    if (this.isPossible && init.cache !== 'reload') {
      const kept = await caches.match(file, { ignoreVary: true }).catch(() => undefined);
      if (kept) {
        this.#answered.add(file);
        return kept;
      }
    }
    this.#answered.delete(file);
    return fetch(file, init);
  };

  /** Keeps these answers, and of the site's others only those that it still names. */
  async keep(
    downloaded: ReadonlyMap<string, Response>,
    named: ReadonlyMap<string, unknown>,
  ): Promise<void> {
    if (!this.isPossible) {
      return;
    }
    try {
      const cache = await caches.open(this.#name);
      const fresh = [...downloaded].filter(([file]) => !this.#answered.has(file));
      await Promise.all(fresh.map(([file, answer]) => cache.put(file, answer)));
      const outdated = (await cache.keys()).filter(({ url }) => !named.has(url));
      await Promise.all(outdated.map((request) => cache.delete(request)));
    } catch (error) {
      // Private windows and full disks refuse to store; then the next visit downloads again.
      console.info('The model is not kept for later visits.', error);
    }
  }
}
