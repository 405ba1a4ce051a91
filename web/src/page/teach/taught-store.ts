/** Keeps the visitor's tags in the browser, under the digest of the model whose features they use. */

import type { Change, OwnTag, TaughtPhoto } from './lessons';

const NAME = 'toolchain taught';
const VERSION = 1;
const STORES = ['tags', 'photos'] as const;

/** What is kept for one model. */
export interface Kept {
  readonly tags: readonly OwnTag[];
  readonly photos: readonly TaughtPhoto[];
}

/** The tags and photos of one model; every call rejects where the browser stores nothing. */
export class TaughtStore {
  readonly #model: string;
  #opened: Promise<IDBDatabase> | undefined;
  #hasAsked = false;

  /** @param model - The model's digest. */
  constructor(model: string) {
    this.#model = model;
  }

  /** Returns all that is kept. */
  async read(): Promise<Kept> {
    const database = await this.#database();
    const transaction = database.transaction(STORES);
    const range = this.#range;
    const [tags, photos] = await Promise.all(
      STORES.map((store) => done(transaction.objectStore(store).getAll(range))),
    );
    return { tags: tags as OwnTag[], photos: photos as TaughtPhoto[] };
  }

  /** Keeps a change; when this settles a crash loses nothing of it. */
  async keep({ putTags, putPhotos, dropTags, dropPhotos }: Change, keepsPhotos: boolean) {
    const database = await this.#database();
    const transaction = database.transaction(STORES, 'readwrite', { durability: 'strict' });
    const [tags, photos] = STORES.map((store) => transaction.objectStore(store));
    dropTags?.forEach((id) => tags?.delete([this.#model, id]));
    dropPhotos?.forEach((id) => photos?.delete([this.#model, id]));
    putTags?.forEach((tag) => tags?.put({ ...tag, model: this.#model }));
    putPhotos?.forEach((photo) => {
      const pictures = keepsPhotos ? {} : { thumbnail: null, photo: null };
      photos?.put({ ...photo, ...pictures, model: this.#model });
    });
    await ended(transaction);
    if (putPhotos?.length && !this.#hasAsked) {
      this.#hasAsked = true;
      // Otherwise the browser may remove it where the disk gets full. Some ask the visitor.
      void navigator.storage?.persist?.();
    }
  }

  /** Removes everything of this model. */
  async forget(): Promise<void> {
    const database = await this.#database();
    const transaction = database.transaction(STORES, 'readwrite');
    STORES.forEach((store) => transaction.objectStore(store).delete(this.#range));
    await ended(transaction);
  }

  get #range(): IDBKeyRange {
    return IDBKeyRange.bound([this.#model], [this.#model, []]);
  }

  #database(): Promise<IDBDatabase> {
    this.#opened ??= open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, VERSION);
  request.onupgradeneeded = () => {
    STORES.forEach((store) =>
      request.result.createObjectStore(store, { keyPath: ['model', 'id'] }),
    );
  };
  return done(request);
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('nothing was read'));
  });
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('nothing was stored'));
  });
}
