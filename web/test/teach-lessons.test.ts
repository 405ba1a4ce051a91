import { beforeAll, describe, expect, it, vi } from 'vitest';

import { teach as english } from '../../templates/strings/en.json';
import type { Tagging } from '../src/messages';
import { judgementOf } from '../src/page/teach/judgement';
import { Lessons, type TaughtPhoto } from '../src/page/teach/lessons';
import { outputsOf, retagged } from '../src/page/teach/own-tags';
import { nearness } from '../src/teach/nearness';
import { SolverClient, type SolverWorker } from '../src/page/teach/solver-client';
import { speakOfTeaching, tell } from '../src/page/teach/words';
import type { Learned, LearnOrder } from '../src/teach/learn';
import { fakeVisit } from './fake-session';

beforeAll(() => speakOfTeaching(english));

function photo(id: number, tag: number): TaughtPhoto {
  const features = new Float32Array(2);
  return { id, tag, name: `${id}.jpg`, features, thumbnail: null, photo: null };
}

function lessons(): Lessons {
  const made = new Lessons();
  const putTags = [
    { id: 1, name: 'Rose' },
    { id: 2, name: 'tulip' },
  ];
  made.make({ putTags, putPhotos: [photo(3, 1), photo(4, 2), photo(5, 2)] }, false);
  return made;
}

const names = (made: Lessons): string[] => made.tags.map(({ name }) => name);
const photosOf = (made: Lessons, tag: number): number[] => made.of(tag).map(({ id }) => id);

describe('the tags', () => {
  it('are found by name in any case', () => {
    expect(lessons().named('ROSE')?.id).toBe(1);
    expect(lessons().named('oak')).toBeUndefined();
  });

  it('lose a photo, or all with the tag, and get them back', () => {
    const made = lessons();
    expect(made.canUndo).toBe(false);
    made.make({ dropPhotos: [4] });
    made.make(made.withoutTag(2));
    expect(names(made)).toEqual(['Rose']);
    expect(made.photos.map(({ id }) => id)).toEqual([3]);
    expect(made.undo()).toMatchObject({ putTags: [{ id: 2 }], putPhotos: [{ id: 5 }] });
    expect(photosOf(made, 2)).toEqual([5]);
    made.undo();
    expect(photosOf(made, 2)).toEqual([4, 5]);
    expect(made.undo()).toBeNull();
  });

  it('are renamed, and join a tag of that name', () => {
    const made = lessons();
    const [rose, tulip] = made.tags;
    if (!rose || !tulip) {
      throw new Error('tags are missing');
    }
    made.make(made.renamed(rose, 'rose'));
    expect(names(made)).toEqual(['rose', 'tulip']);
    made.make(made.renamed(tulip, 'ROSE'));
    expect(names(made)).toEqual(['rose']);
    expect(photosOf(made, 1)).toEqual([3, 4, 5]);
    made.undo();
    expect(photosOf(made, 2)).toEqual([4, 5]);
    made.clear();
    expect(made.tags).toEqual([]);
    expect(made.canUndo).toBe(false);
  });

  it('get ids that ascend and are whole numbers', () => {
    const made = new Lessons();
    const ids = [made.nextId(1.8e12), made.nextId(1.8e12), made.nextId(1.8e12 - 5)];
    expect(ids.every(Number.isSafeInteger)).toBe(true);
    expect([...ids].sort((a, b) => a - b)).toEqual(ids);
  });
});

describe('the judgement', () => {
  const judged = (key: number, tag: number, found: number, margin: number) => ({
    key,
    tag,
    found,
    margin,
  });

  it('counts, and names the clearest mistakes first', () => {
    const all = [judged(1, 0, 0, 1), judged(2, 0, 1, -0.1), judged(3, 0, 1, -0.5)];
    const found = judgementOf([...all, judged(4, 1, 0, -0.2)]);
    expect(found).toMatchObject({ right: 1, count: 4 });
    expect(found?.mistaken.map(({ key }) => key)).toEqual([3, 4, 2]);
    expect(found?.confusions).toEqual([
      { tag: 0, found: 1, count: 2 },
      { tag: 1, found: 0, count: 1 },
    ]);
  });

  it('needs three photos', () => {
    expect(judgementOf([judged(1, 0, 0, 1), judged(2, 1, 1, 1)])).toBeNull();
  });
});

describe('own tags', () => {
  const head = {
    weights: Float32Array.of(1, 0, 0, 1),
    biases: Float32Array.of(0.5, 0),
    rule: {
      threshold: 0.9,
      coordinates: Uint16Array.of(0, 1),
      centres: Int8Array.of(127, 0, 0, 127),
    },
  };
  const given = (...features: number[]): Tagging =>
    ({ tags: [{ label: 'cat' }], features: Float32Array.from(features) }) as unknown as Tagging;

  it("replace the model's", () => {
    expect([...outputsOf(head, Float32Array.of(1, 2))]).toEqual([1.5, 2]);
    expect(nearness(head.rule, Float32Array.of(3, 4))).toBeCloseTo(0.8);
    expect(nearness(head.rule, Float32Array.of(0, 0))).toBe(0);
    const tag = retagged(head, ['rose', 'tulip']);
    const found = tag(given(0, 3));
    expect(found.tags.map(({ label }) => label)).toEqual(['tulip', 'rose']);
    expect(found.cosine).toBeCloseTo(1);
    expect(tag(given(3, 4)).tags).toMatchObject([{ label: 'tulip', isNearest: true }]);
    const plain = { tags: [] } as unknown as Tagging;
    expect(tag(plain)).toBe(plain);
    const without = retagged({ ...head, rule: null }, ['rose', 'tulip'])(given(3, 4));
    expect(without.tags).toHaveLength(2);
    expect(without.cosine).toBeNull();
  });

  it('are given to every photo that the session asks for', async () => {
    const { session, last } = fakeVisit();
    session.start();
    last().hear({ kind: 'ready', labels: [] });
    session.retag((tagging) => ({ ...tagging, tags: [] }));
    const coming = session.ask({ kind: 'file', file: new Blob() }, new AbortController().signal);
    const [{ id, photo: asked } = { id: 0, photo: undefined }] = last().asked;
    expect(asked?.choice).toEqual({ features: true });
    last().hear({ kind: 'tagged', id, tagging: given(1, 2), thumbnail: null });
    expect(await coming).toMatchObject({ kind: 'tagged', tagging: { tags: [] } });
  });
});

describe('the solver', () => {
  function solver() {
    const orders: LearnOrder[] = [];
    const worker: SolverWorker = {
      postMessage: (order: LearnOrder) => void orders.push(order),
      terminate: vi.fn(),
      onmessage: null,
      onerror: null,
    };
    const heard = vi.fn();
    const failed = vi.fn();
    const client = new SolverClient(() => worker, heard, failed);
    const answer = (id: number): void =>
      worker.onmessage?.({ data: { id } as Learned } as MessageEvent<Learned>);
    return { client, orders, worker, heard, failed, answer };
  }
  const lesson = (id: number) => ({ id, tag: 0, features: Float32Array.of(id) });

  it('gets each photo once, and is heard for its newest order', () => {
    const { client, orders, heard, answer } = solver();
    client.learn([lesson(1), lesson(2)], 1);
    client.learn([lesson(2), lesson(3)], 1);
    expect(orders.map(({ keys }) => keys)).toEqual([
      [1, 2],
      [2, 3],
    ]);
    expect(orders.map(({ fresh }) => [...fresh.keys()])).toEqual([[1, 2], [3]]);
    answer(1);
    expect(heard).not.toHaveBeenCalled();
    answer(2);
    expect(heard).toHaveBeenCalledOnce();
  });

  it('is started again after a failure, with all photos', () => {
    const { client, orders, worker, failed, heard, answer } = solver();
    client.learn([lesson(1)], 1);
    worker.onerror?.({ message: 'no', preventDefault: () => undefined } as ErrorEvent);
    expect(failed).toHaveBeenCalledWith('no');
    expect(worker.terminate).toHaveBeenCalledOnce();
    answer(1);
    expect(heard).not.toHaveBeenCalled();
    client.learn([lesson(1)], 1);
    expect(orders[1]?.fresh.size).toBe(1);
  });
});

it('fills in the texts', () => {
  expect(tell('photoCount', { count: 3 })).toBe('Photos: 3');
});
