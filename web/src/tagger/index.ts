/**
 * The component: tags photos in any page with the model of a site.
 *
 * It is the page's own code without the page: the same session, downloads, digests and worker.
 * Its worker, WebAssembly and weights come from the site that {@link load} is given, so bundlers
 * need not know them. `tagger.d.ts` is its interface.
 */

import { script as english } from '../../../templates/strings/en.json';
import { GPU_BACKENDS, type BackendPreference } from '../messages';
import { availableBackends } from '../page/available-backends';
import { speak } from '../page/language';
import { Session } from '../page/session';
import { initialState } from '../page/session-state';
import type { SessionView } from '../page/session-view';
import { WorkerClient } from '../page/worker-client';
import { KeptFiles } from './kept-files';
import { LoadedTagger } from './loaded-tagger';
import { folderOf, namedSite } from './site-manifest';
import type { Backend, LoadOptions, Tagger } from './tagger';
import { TaggerError } from './tagger-error';

export { TaggerError };

export const version = '1.1';

const MANIFEST = 'tagger.json';
const BACKEND_WORDS: readonly Backend[] = ['auto', ...GPU_BACKENDS, 'wasm', 'cpu'];

export async function load(
  site: string | URL,
  { onProgress, backend = 'auto', signal }: LoadOptions = {},
): Promise<Tagger> {
  if (!BACKEND_WORDS.includes(backend)) {
    throw new RangeError(`backend is ${String(backend)}; give one of ${BACKEND_WORDS.join(', ')}.`);
  }
  signal?.throwIfAborted();
  speak(english);
  const folder = folderOf(site, document.baseURI);
  const kept = new KeptFiles(folder);
  const { model, drop, files, code, teaching } = namedSite(
    await manifestOf(folder, signal),
    folder,
  );
  const named = code.digests.files;
  const preference: BackendPreference =
    backend === 'auto'
      ? { kind: 'compare' }
      : { kind: 'forced', backend, reason: { code: 'forced' } };

  return new Promise((resolve, reject) => {
    let tagger: LoadedTagger | undefined;
    const view: SessionView = {
      ...SILENT,
      progress: (received, total) => onProgress?.({ received, total }),
      failed: (sentence) => {
        const error = new TaggerError('model', sentence);
        if (tagger) {
          tagger.failed(error);
        } else {
          session.end();
          reject(error);
        }
      },
    };
    const session: Session = new Session(
      initialState({ model: files, preview: null, preference, offered: availableBackends(window) }),
      (hear, events) =>
        new WorkerClient(
          { ...code, fetch: kept.fetch },
          (message) => {
            hear(message);
            if (message.kind === 'ready' && !tagger) {
              const { labels } = message;
              const { name, source, licence, sha256, task } = model;
              const bytes = files.weightBytes;
              const info = { name, source, licence, sha256, task, labels, bytes, drop };
              tagger = new LoadedTagger(session, info, teaching);
              signal?.removeEventListener('abort', end);
              resolve(tagger);
            }
          },
          events,
        ),
      {
        weightsAfter: Promise.resolve(),
        keepsDownloads: () => kept.isPossible,
        keep: (downloaded) => kept.keep(downloaded, named),
        needsFeatures: () => undefined,
      },
      Promise.resolve(view),
    );
    const end = (): void => {
      session.end();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', end, { once: true });
    session.start();
  });
}

/** A view of nothing. */
const SILENT: SessionView = {
  state: () => undefined,
  progress: () => undefined,
  interrupted: () => undefined,
  stage: () => undefined,
  transfers: () => undefined,
  backend: () => undefined,
  compared: () => undefined,
  tagged: () => undefined,
  upgraded: () => undefined,
  failed: () => undefined,
};

async function manifestOf(folder: string, signal: AbortSignal | undefined): Promise<unknown> {
  const address = `${folder}${MANIFEST}`;
  let answer: Response;
  try {
    answer = await fetch(address, { cache: 'no-cache', ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw new TaggerError(
      'model',
      `${address} cannot be fetched: there is no network, or its host does not let pages of ${location.origin} read it (Access-Control-Allow-Origin).`,
      { cause: error },
    );
  }
  const text = answer.ok ? await answer.text() : '';
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TaggerError(
      'model',
      `There is no model at ${folder}: the host answered ${answer.status} for ${MANIFEST}; give the address of a site that toolchain built.`,
      { cause: error },
    );
  }
}

// What the types promise is what there is.
({ load, version, TaggerError }) satisfies typeof import('./tagger');
