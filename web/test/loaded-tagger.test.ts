import { beforeAll, describe, expect, it, vi } from 'vitest';

import { script as english } from '../../templates/strings/en.json';
import type { Tagging as WorkerTagging } from '../src/messages';
import { speak } from '../src/page/language';
import { LoadedTagger } from '../src/tagger/loaded-tagger';
import type { TaggerInfo } from '../src/tagger/tagger';
import { TaggerError } from '../src/tagger/tagger-error';
import { type FakeClient, fakeVisit } from './fake-session';

const PHOTO = new Blob(['a photo']);
const info = { name: 'tiny' } as TaggerInfo;

beforeAll(() => speak(english));

/** Returns a tagger whose model is ready. */
function ready() {
  const visit = fakeVisit();
  visit.session.start();
  visit.last().hear({ kind: 'ready', labels: [] });
  return { ...visit, tagger: new LoadedTagger(visit.session, info) };
}

/** Answers the photo that a worker has. */
function answer(client: FakeClient, tags: object[]): void {
  const tagging = { tags, backend: 'wasm', inferenceMs: 7 } as unknown as WorkerTagging;
  client.hear({ kind: 'tagged', id: client.asked.at(-1)?.id ?? 0, tagging, thumbnail: null });
}

/** Waits until a worker has been asked for so many photos. */
async function asked(client: FakeClient, count = 1): Promise<void> {
  await vi.waitFor(() => expect(client.asked).toHaveLength(count));
}

describe('tag', () => {
  it('gives the tags, and passes the choice on', async () => {
    const { tagger, last } = ready();
    const coming = tagger.tag(PHOTO, { top: 2, threshold: 0.1 });
    await asked(last());
    expect(last().asked[0]?.photo).toMatchObject({ file: PHOTO, choice: { top: 2 } });
    const tag = { label: 'cat', classIndex: 3, score: 0.9 };
    answer(last(), [tag]);
    expect(await coming).toEqual({
      tags: [{ label: 'cat', index: 3, score: 0.9 }],
      nearest: null,
      backend: 'wasm',
      milliseconds: 7,
    });
  });

  it('has no tags where only the nearest label is known', async () => {
    const { tagger, last } = ready();
    const coming = tagger.tag(PHOTO);
    await asked(last());
    answer(last(), [{ label: 'cat', classIndex: 3, score: 0.1, isNearest: true }]);
    const nearest = { label: 'cat', index: 3, score: 0.1 };
    expect(await coming).toMatchObject({ tags: [], nearest });
  });

  it('gives the features of a photo where the model has them', async () => {
    const { tagger, last } = ready();
    const coming = tagger.embed(PHOTO);
    await asked(last());
    const [{ id, photo } = { id: 0, photo: undefined }] = last().asked;
    expect(photo).toMatchObject({ file: PHOTO, choice: { features: true } });
    const features = new Float32Array([1, 2]);
    const tagging = { tags: [], features } as unknown as WorkerTagging;
    last().hear({ kind: 'tagged', id, tagging, thumbnail: null });
    expect(await coming).toEqual(features);

    const missing = tagger.embed(PHOTO);
    await asked(last(), 2);
    answer(last(), []);
    await expect(missing).rejects.toMatchObject({ code: 'model' });
  });

  it('cannot be taught where the site was built without', async () => {
    const { tagger } = ready();
    await expect(tagger.teach('rose', PHOTO)).rejects.toMatchObject({ code: 'model' });
    await expect(tagger.teach(' ', PHOTO)).rejects.toThrow(RangeError);
  });

  it.each([{ top: 0 }, { top: 1.5 }, { threshold: 2 }, { threshold: NaN }])(
    'refuses %o',
    async (options) => {
      await expect(ready().tagger.tag(PHOTO, options)).rejects.toThrow(RangeError);
    },
  );

  it('says in a sentence what is wrong with a photo', async () => {
    const { tagger, last } = ready();
    const coming = tagger.tag(PHOTO);
    await asked(last());
    const { id } = last().asked[0] ?? { id: 0 };
    last().hear({ kind: 'refused', id, refusal: 'not-a-picture' });
    await expect(coming).rejects.toMatchObject({ name: 'TaggerError', code: 'photo' });
  });

  it('ends with the reason of the signal, and leaves the next photo alone', async () => {
    const { tagger, last } = ready();
    const end = new AbortController();
    const first = tagger.tag(PHOTO, { signal: end.signal });
    await asked(last());
    const reason = new Error('enough');
    end.abort(reason);
    await expect(first).rejects.toBe(reason);
    const second = tagger.tag(PHOTO);
    answer(last(), []);
    await asked(last(), 2);
    answer(last(), [{ label: 'cat', classIndex: 3, score: 0.9 }]);
    expect((await second).tags).toHaveLength(1);
  });

  it('rejects what waits when the model fails or is closed', async () => {
    const { tagger, clients } = ready();
    const failing = tagger.tag(PHOTO);
    await asked(clients[0]!);
    tagger.failed(new TaggerError('model', 'It fell over.'));
    await expect(failing).rejects.toThrow('It fell over.');
    const closing = tagger.tag(PHOTO);
    tagger.close();
    await expect(closing).rejects.toMatchObject({ code: 'closed' });
    await expect(tagger.tag(PHOTO)).rejects.toMatchObject({ code: 'closed' });
    expect(clients.every(({ isEnded }) => isEnded)).toBe(true);
  });
});
