/** A session whose workers and page are played by a test. */

import type { BackendPreference, FromWorker, Photo, Tagging } from '../src/messages';
import { BACKENDS } from '../src/messages';
import type { DownloadEvents } from '../src/page/downloads';
import { type Client, Session } from '../src/page/session';
import { initialState } from '../src/page/session-state';
import type { SessionView, ViewCalls } from '../src/page/session-view';
import type { ModelFiles } from '../src/page/site-files';
import type { StartOptions } from '../src/page/worker-client';

/** A worker that does what the test says. */
export class FakeClient implements Client {
  readonly hear: (message: FromWorker) => void;
  readonly events: Omit<DownloadEvents, 'failed'>;
  readonly downloaded = new Map<string, Response>();
  readonly asked: { readonly id: number; readonly photo: Photo }[] = [];
  files: ModelFiles | undefined;
  preference: BackendPreference | undefined;
  options: StartOptions | undefined;
  isGivenUp = false;
  isEnded = false;

  constructor(hear: (message: FromWorker) => void, events: Omit<DownloadEvents, 'failed'>) {
    this.hear = hear;
    this.events = events;
  }

  start(files: ModelFiles, preference: BackendPreference, options: StartOptions): void {
    Object.assign(this, { files, preference, options });
  }

  classify(id: number, photo: Photo): void {
    this.asked.push({ id, photo });
  }

  giveUp(): void {
    this.isGivenUp = true;
  }

  end(): void {
    this.isEnded = true;
  }

  /** The files of photos that it was asked for, and the frames. */
  get photos(): unknown[] {
    return this.asked.map(({ photo }) =>
      photo.kind === 'file' ? photo.file : photo.kind === 'frame' ? photo.frame : photo.pixels,
    );
  }

  /** Answers the last photo that it was asked for. */
  tags(thumbnail: ImageBitmap | null = null, id = this.asked.at(-1)?.id ?? 0): Tagging {
    const tagging = { tags: [{ classIndex: id, label: `tag ${id}`, score: 1 }] };
    this.hear({ kind: 'tagged', id, tagging: tagging as unknown as Tagging, thumbnail });
    return tagging as unknown as Tagging;
  }
}

/** Addresses of a model. */
export function modelFiles(name: string): ModelFiles {
  return { contract: `${name}.contract`, weights: [`${name}.1`], earlyWeights: 1, weightBytes: 9 };
}

/** What a page is told: the name of the call and its arguments. */
export type Told = {
  [Name in keyof ViewCalls]: readonly [Name, ...ViewCalls[Name]];
}[keyof ViewCalls];

/** One visit. */
export interface FakeVisit {
  readonly session: Session;
  readonly clients: readonly FakeClient[];
  /** Returns the client that was started last. */
  readonly last: () => FakeClient;
  /** Settles when the page has been told everything, and returns what since the last time. */
  readonly told: () => Promise<readonly Told[]>;
}

const NAMES: readonly (keyof ViewCalls)[] = [
  'state',
  'progress',
  'interrupted',
  'stage',
  'transfers',
  'backend',
  'compared',
  'tagged',
  'upgraded',
  'failed',
];

/** Makes a session that has not started. */
export function fakeVisit({
  preview = null,
  preference = { kind: 'compare' },
}: {
  readonly preview?: ModelFiles | null;
  readonly preference?: BackendPreference;
} = {}): FakeVisit {
  const clients: FakeClient[] = [];
  let heard: Told[] = [];
  const view = Promise.resolve(
    Object.fromEntries(
      NAMES.map((name) => [
        name,
        (...args: unknown[]) => heard.push([name, ...args] as unknown as Told),
      ]),
    ) as unknown as SessionView,
  );
  const session = new Session(
    initialState({ model: modelFiles('full'), preview, preference, offered: new Set(BACKENDS) }),
    (hear, events) => {
      const client = new FakeClient(hear, events);
      clients.push(client);
      return client;
    },
    {
      weightsAfter: Promise.resolve(),
      keepsDownloads: () => false,
      keep: () => Promise.resolve(),
      needsFeatures: () => undefined,
    },
    view,
  );
  return {
    session,
    clients,
    last: () => {
      const client = clients.at(-1);
      if (!client) {
        throw new Error('no client was started');
      }
      return client;
    },
    told: async () => {
      await view;
      const all = heard;
      heard = [];
      return all;
    },
  };
}
