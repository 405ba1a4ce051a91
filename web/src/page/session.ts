/** Brings photos and workers together: carries out what `session-reducer.ts` decides. */

import type { BackendPreference, FromWorker, Photo, Tagging } from '../messages';
import type { CropPlace } from '../photo/crop';
import type { DownloadEvents } from './downloads';
import { type BackgroundAnswer, discard } from './requests';
import { refusalSentence } from './sentences';
import { reduce } from './session-reducer';
import type { Effect, SessionEvent, SessionState } from './session-state';
import { callView, type SessionView, type ViewCall } from './session-view';
import type { ModelFiles } from './site-files';
import type { WorkerClient } from './worker-client';

/** What the session needs of a worker client. */
export type Client = Pick<WorkerClient, 'start' | 'classify' | 'giveUp' | 'end' | 'downloaded'>;

/** Makes a worker client; see the constructor of {@link WorkerClient}. */
export type Connect = (
  hear: (message: FromWorker) => void,
  downloadEvents: Omit<DownloadEvents, 'failed'>,
) => Client;

/** What a session needs of the place that it runs in. */
export interface Place {
  /** What most of the weights wait for. */
  readonly weightsAfter: Promise<void>;
  /** Whether downloads are worth keeping for the next visit. */
  keepsDownloads(): boolean;
  /** Keeps whole answers, by their addresses, for the next visit; they are used up. */
  keep(downloaded: ReadonlyMap<string, Response>): Promise<void>;
  /** Code that is loaded on demand will be needed. */
  needsFeatures(): void;
}

/** Gives a photo other tags, by its features. */
export type Retag = (tagging: Tagging) => Tagging;

/** One visit to the page, or one model in a page of others. */
export class Session {
  readonly #connect: Connect;
  readonly #place: Place;
  readonly #view: Promise<SessionView>;
  readonly #clients = new Map<number, Client>();
  /** What answers for background photos, by their keys. */
  readonly #answers = new Map<number, (answer: BackgroundAnswer) => void>();
  readonly #events: SessionEvent[] = [];
  #state: SessionState;
  #lastKey = 0;
  #retag: Retag | null = null;
  #isBusy = false;

  /**
   * @param state - The one to begin with.
   * @param view - What it is told before this settles is told it then.
   */
  constructor(state: SessionState, connect: Connect, place: Place, view: Promise<SessionView>) {
    this.#state = state;
    this.#connect = connect;
    this.#place = place;
    this.#view = view;
  }

  /** The photo that was last given, if it has arrived and is a picture. */
  get photo(): Blob | null {
    return this.#state.requests.photo;
  }

  /** Has the full model's tags replaced from now on; null for its own. */
  retag(by: Retag | null): void {
    this.#retag = by;
  }

  /** Starts again on another backend, with the photo that was last given. */
  switchTo(preference: BackendPreference): void {
    this.#dispatch({ kind: 'switch-backend', preference });
  }

  /** Starts again with another variant of the model, likewise. */
  take(model: ModelFiles): void {
    this.#dispatch({ kind: 'switch-variant', model });
  }

  /** Starts the model; after a failure again, with the photo that was last given. */
  start(bypassCache = false): void {
    this.#dispatch({ kind: 'start', bypassCache });
  }

  /** Says that a photo is on its way, so that earlier ones no longer count. */
  expect(): void {
    this.#dispatch({ kind: 'expect' });
  }

  /** Says that the camera's frames replace the photo on show, by {@link ask}. */
  goLive(): void {
    this.#dispatch({ kind: 'go-live' });
  }

  /** Starts again if the model has failed. */
  recover(): void {
    this.#dispatch({ kind: 'recover' });
  }

  /**
   * Tags a photo in the background, by the full model when it is ready and has time.
   *
   * @param signal - Withdraws the photo, which is then lost.
   */
  ask(photo: Photo, signal: AbortSignal): Promise<BackgroundAnswer> {
    return new Promise((resolve) => {
      if (signal.aborted) {
        if (photo.kind === 'frame') {
          photo.frame.close();
        }
        resolve({ kind: 'lost' });
        return;
      }
      const key = ++this.#lastKey;
      const withdraw = (): void => this.#dispatch({ kind: 'withdraw', key });
      signal.addEventListener('abort', withdraw);
      this.#answers.set(key, (answer) => {
        signal.removeEventListener('abort', withdraw);
        resolve(answer);
      });
      this.#dispatch({ kind: 'ask', key, photo });
    });
  }

  /**
   * Tags a photo in place of every earlier one, as soon as a model is ready.
   *
   * @param isAsked - Whether the visitor gave it; after a failure only that is worth a retry.
   */
  tag(file: Blob, isAsked = true): void {
    this.#dispatch({ kind: 'tag', file, isAsked });
  }

  /** Tags another part of the photo on show. */
  move(place: CropPlace): void {
    this.#dispatch({ kind: 'move', place });
  }

  /** Says that there is nothing to tag after all. */
  giveUp(sentence: string): void {
    this.#dispatch({ kind: 'give-up', sentence });
  }

  /** Ends all workers at once; photos in the background are lost. */
  end(): void {
    this.#clients.forEach((client) => client.end());
    this.#clients.clear();
    for (const { photo } of this.#state.requests.waiting) {
      if (photo.kind === 'frame') {
        photo.frame.close();
      }
    }
    [...this.#answers.keys()].forEach((key) => this.#answer(key, { kind: 'lost' }));
  }

  /** Takes an event; one that an effect causes waits until all effects of the event before ran. */
  #dispatch(event: SessionEvent): void {
    this.#events.push(event);
    if (this.#isBusy) {
      return;
    }
    this.#isBusy = true;
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        const { state, effects } = reduce(this.#state, next);
        this.#state = state;
        effects.forEach((effect) => this.#run(effect));
      }
    } finally {
      this.#isBusy = false;
    }
  }

  #run(effect: Effect): void {
    switch (effect.kind) {
      case 'start-client':
        this.#startClient(effect);
        break;
      case 'end-client':
        this.#clients.get(effect.client)?.end();
        this.#clients.delete(effect.client);
        break;
      case 'classify':
        this.#clients
          .get(effect.client)
          ?.classify(effect.id, this.#retag ? withFeatures(effect.photo) : effect.photo);
        break;
      case 'no-photo':
        this.#clients.get(effect.client)?.giveUp();
        break;
      case 'decode':
        void this.#decode(effect);
        break;
      case 'explain': {
        const { id, file, refusal } = effect;
        void refusalSentence(file, refusal).then((sentence) =>
          this.#dispatch({ kind: 'explained', id, sentence }),
        );
        break;
      }
      case 'keep-downloads': {
        const client = this.#clients.get(effect.client);
        if (client) {
          void this.#place.keep(client.downloaded);
        }
        break;
      }
      case 'answer':
        this.#answer(effect.key, effect.answer);
        break;
      case 'close':
        effect.picture.close();
        break;
      case 'log':
        console.info(effect.text, effect.detail);
        break;
      case 'view':
        this.#tell(effect);
        break;
    }
  }

  #startClient({
    role,
    client: id,
    files,
    preference,
    bypassCache,
    expectsPhoto,
  }: Extract<Effect, { kind: 'start-client' }>): void {
    const client = this.#connect(
      (heard) => {
        const by = role === 'full' ? this.#retag : null;
        const message =
          by && heard.kind === 'tagged' && heard.tagging.features
            ? { ...heard, tagging: by(heard.tagging) }
            : heard;
        this.#dispatch({ kind: 'message', client: id, message });
      },
      {
        progress: (received) =>
          this.#tell({ name: 'progress', args: [received, files.weightBytes] }),
        interrupted: (isInterrupted) => this.#tell({ name: 'interrupted', args: [isInterrupted] }),
        finished: (span) => this.#dispatch({ kind: 'downloaded', client: id, span }),
      },
    );
    this.#clients.set(id, client);
    client.start(files, preference, {
      bypassCache,
      keep: role === 'full' && this.#place.keepsDownloads(),
      weightsAfter: this.#place.weightsAfter,
      expectsPhoto,
    });
  }

  async #decode({
    client,
    id,
    file,
    input,
    place,
  }: Extract<Effect, { kind: 'decode' }>): Promise<void> {
    this.#place.needsFeatures();
    const { decodeForWorker } = await import('./decode-for-worker');
    const result = await decodeForWorker(file, input, place);
    this.#dispatch({ kind: 'decoded', client, id, result });
  }

  #answer(key: number, answer: BackgroundAnswer): void {
    const resolve = this.#answers.get(key);
    this.#answers.delete(key);
    if (resolve) {
      resolve(answer);
    } else {
      discard(answer);
    }
  }

  #tell(call: ViewCall): void {
    void this.#view.then((view) => callView(view, call));
  }
}

function withFeatures(photo: Photo): Photo {
  return { ...photo, choice: { ...photo.choice, features: true } };
}
