/** A loaded model, as other pages use it: a session without a page of its own. */

import type { TagChoice, Tagging as WorkerTagging } from '../messages';
import type { BackgroundAnswer } from '../page/requests';
import { refusalSentence } from '../page/sentences';
import type { Session } from '../page/session';
import { moduleWorker } from '../page/worker-client';
import { photoOf } from './photo-of';
import type {
  EmbedOptions,
  StreamOptions,
  Tag,
  Tagger,
  TaggerInfo,
  Tagging,
  TaggerPhoto,
  TagOptions,
} from './tagger';
import type { TeachingFiles } from './site-manifest';
import { TaggerError } from './tagger-error';
import type { Teaching } from './teaching';

type TeachingModule = typeof import('./teaching');

/** Tags photos by a session. */
export class LoadedTagger implements Tagger {
  readonly info: TaggerInfo;
  readonly #session: Session;
  readonly #closing = new AbortController();
  /** Ends all that waits, when the model fails. */
  #failing = new AbortController();

  readonly #files: TeachingFiles | null;
  #teaching: Promise<Teaching> | undefined;

  /** @param files - With which it is taught; null where it cannot be. */
  constructor(session: Session, info: TaggerInfo, files: TeachingFiles | null = null) {
    this.#session = session;
    this.info = info;
    this.#files = files;
  }

  /** Rejects what waits, because the model cannot run; the next photo starts it again. */
  failed(error: TaggerError): void {
    const failing = this.#failing;
    this.#failing = new AbortController();
    failing.abort(error);
  }

  async tag(given: TaggerPhoto, options: TagOptions = {}): Promise<Tagging> {
    const { top, threshold } = checked(options);
    const choice = {
      ...(top !== undefined && { top }),
      ...(threshold !== undefined && { threshold }),
    };
    return resultOf(await this.#asked(given, options, choice));
  }

  async embed(given: TaggerPhoto, options: EmbedOptions = {}): Promise<Float32Array> {
    const { features } = await this.#asked(given, options, { top: 1, features: true });
    if (!features) {
      throw new TaggerError(
        'model',
        'This model has no single last layer whose input could be its features, so it can tag but not embed; build the site from another model.',
      );
    }
    return features;
  }

  /** Returns what the worker says of a photo. */
  async #asked(
    given: TaggerPhoto,
    { crop, signal }: EmbedOptions,
    choice: TagChoice,
  ): Promise<WorkerTagging> {
    for (;;) {
      const ending = anyOf([
        this.#closing.signal,
        this.#failing.signal,
        ...(signal ? [signal] : []),
      ]);
      try {
        ending.signal.throwIfAborted();
        const photo = await photoOf(given, crop, choice);
        this.#session.recover();
        const answer = await this.#session.ask(photo, ending.signal);
        ending.signal.throwIfAborted();
        // Lost means that the model was started again; then the photo is given again.
        if (answer.kind !== 'lost') {
          return await this.#result(answer, given);
        }
      } finally {
        ending.forget();
      }
    }
  }

  async teach(label: string, photo: TaggerPhoto, options: EmbedOptions = {}): Promise<void> {
    if (label.trim() === '') {
      throw new RangeError('label is empty; give the name of what the photo shows.');
    }
    const teaching = await this.#taught();
    await teaching.teach(label.trim(), await this.embed(photo, options));
  }

  async forget(label?: string): Promise<void> {
    await (await this.#taught()).forget(label);
  }

  async export(): Promise<Blob> {
    const file = await (await this.#taught()).export();
    if (!file) {
      throw new TaggerError('model', 'Nothing has been taught that could be exported.');
    }
    return file;
  }

  async import(file: Blob): Promise<void> {
    const teaching = await this.#taught();
    try {
      await teaching.import(file);
    } catch (error) {
      throw new TaggerError(
        'model',
        `The taught tags cannot be imported: ${(error as Error).message}.`,
        { cause: error },
      );
    }
  }

  #taught(): Promise<Teaching> {
    this.#closing.signal.throwIfAborted();
    this.#teaching ??= this.#startTeaching().catch((error: unknown) => {
      this.#teaching = undefined;
      throw error;
    });
    return this.#teaching;
  }

  async #startTeaching(): Promise<Teaching> {
    if (!this.#files) {
      throw new TaggerError(
        'model',
        'This site was built without --teach, so its model cannot be taught; build it with --teach.',
      );
    }
    const { module, solver, width } = this.#files;
    try {
      // An import checks no digest; what was fetched here is in the browser's cache.
      await Promise.all(
        [module, solver].map(async ({ url, integrity }) =>
          (await fetch(url, { integrity })).blob(),
        ),
      );
      const { Teaching } = (await import(/* @vite-ignore */ module.url)) as TeachingModule;
      const { name, sha256 } = this.info;
      const teaching = new Teaching(this.#session, { name, sha256, width }, () =>
        moduleWorker(solver.url),
      );
      this.#closing.signal.addEventListener('abort', () => teaching.end());
      return teaching;
    } catch (error) {
      throw new TaggerError(
        'model',
        'The code that teaches cannot be loaded; check the network, and build and deploy the site again.',
        { cause: error },
      );
    }
  }

  stream(
    video: HTMLVideoElement,
    onTags: (tagging: Tagging) => void,
    { onError, ...options }: StreamOptions = {},
  ): () => void {
    const stopped = new AbortController();
    const { signal } = stopped;
    const run = async (): Promise<void> => {
      while (!signal.aborted) {
        await nextPicture(video, signal);
        if (!signal.aborted) {
          const tagging = await this.tag(video, { ...options, signal });
          onTags(tagging);
        }
      }
    };
    run().catch((error: unknown) => {
      if (!signal.aborted) {
        onError?.(error);
      }
    });
    return () => stopped.abort();
  }

  close(): void {
    this.#closing.abort(new TaggerError('closed', 'The tagger is closed; load the model again.'));
    this.#session.end();
  }

  async #result(
    answer: Exclude<BackgroundAnswer, { kind: 'lost' }>,
    given: TaggerPhoto,
  ): Promise<WorkerTagging> {
    switch (answer.kind) {
      case 'tagged':
        return answer.tagging;
      case 'refused': {
        const file = given instanceof Blob ? given : new Blob();
        throw new TaggerError('photo', await refusalSentence(file, answer.refusal));
      }
      case 'failed':
        throw new TaggerError('model', 'The model failed while it had this photo; give it again.');
    }
  }
}

/** Returns the API's form of what the worker says. */
function resultOf({ tags, backend, inferenceMs }: WorkerTagging): Tagging {
  const plain = tags.map(({ label, classIndex, score }): Tag => ({
    label,
    index: classIndex,
    score,
  }));
  const isNearest = tags[0]?.isNearest === true;
  return {
    tags: isNearest ? [] : plain,
    nearest: isNearest ? (plain[0] ?? null) : null,
    backend,
    milliseconds: inferenceMs,
  };
}

function checked(options: TagOptions): TagOptions {
  const { top, threshold } = options;
  if (top !== undefined && !(Number.isInteger(top) && top >= 1)) {
    throw new RangeError(`top is ${top}; give a whole number from 1.`);
  }
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1)) {
    throw new RangeError(`threshold is ${threshold}; give a number from 0 to 1.`);
  }
  return options;
}

/** A signal of several, without `AbortSignal.any`, which browsers learnt in 2023. */
function anyOf(signals: readonly AbortSignal[]): {
  readonly signal: AbortSignal;
  forget(): void;
} {
  const ending = new AbortController();
  const listening = new AbortController();
  for (const signal of signals) {
    const end = (): void => ending.abort(signal.reason);
    if (signal.aborted) {
      end();
    }
    signal.addEventListener('abort', end, { signal: listening.signal });
  }
  return { signal: ending.signal, forget: () => listening.abort() };
}

/** Waits until a video has a picture to look at. */
async function nextPicture(video: HTMLVideoElement, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const listening = new AbortController();
    const end = (): void => {
      listening.abort();
      resolve();
    };
    signal.addEventListener('abort', end, { signal: listening.signal });
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      video.addEventListener('loadeddata', end, { signal: listening.signal });
    } else if (video.paused || video.ended) {
      video.addEventListener('playing', end, { signal: listening.signal });
    } else {
      // No faster than the screen, and not at all while the page is hidden.
      requestAnimationFrame(end);
    }
  });
}
