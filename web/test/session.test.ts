import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { BackendPreference, Failure } from '../src/messages';
import { failureSentence } from '../src/page/sentences';
import { fakeVisit, modelFiles, type Told } from './fake-session';

const cat = new File([], 'cat.jpg');
const dog = new File([], 'dog.jpg');
const network: Failure = { code: 'network', file: 'full.1' };
const damaged: Failure = { code: 'damaged', file: 'full.1' };
const SPAN = { start: 1, end: 2 };

/** Returns the states among what a page was told. */
const states = (told: readonly Told[]) =>
  told.filter(([name]) => name === 'state').map(([, state]) => state);

const failures = (told: readonly Told[]) => told.filter(([name]) => name === 'failed');

beforeEach(() => {
  // A browser without service workers.
  vi.stubGlobal('navigator', {});
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a session', () => {
  it('loads the model, and tags a photo that came before it was ready', async () => {
    const { session, clients, last, told } = fakeVisit();
    session.start();
    session.tag(cat);
    expect(clients).toHaveLength(1);
    const client = last();
    expect(client.files).toEqual(modelFiles('full'));
    expect(client.preference).toEqual({ kind: 'compare' });
    expect(client.options).toMatchObject({ bypassCache: false, keep: false, expectsPhoto: false });
    expect(client.photos).toEqual([cat]);
    expect(states(await told())).toEqual(['loading']);
    client.hear({ kind: 'ready', labels: [] });
    expect(states(await told())).toEqual(['tagging']);
    const tagging = client.tags();
    expect(await told()).toEqual([
      ['tagged', tagging, 'full'],
      ['state', 'tagged'],
    ]);
  });

  it('tags the photo again where its crop is moved, also on another backend', async () => {
    const { session, last, told } = fakeVisit();
    session.start();
    session.move({ x: 0, y: 0 });
    last().hear({ kind: 'ready', labels: [] });
    session.tag(cat);
    session.move({ x: 1, y: 0.5 });
    const [first, second] = last().asked;
    expect(first?.photo).toEqual({ kind: 'file', file: cat });
    expect(second?.photo).toEqual({ kind: 'file', file: cat, place: { x: 1, y: 0.5 } });
    await told();
    last().tags(null, first?.id);
    expect(await told()).toEqual([]);
    last().tags(null, second?.id);
    expect(states(await told())).toEqual(['tagged']);
    session.switchTo({ kind: 'compare' });
    expect(last().asked[0]?.photo).toMatchObject({ file: cat, place: { x: 1, y: 0.5 } });
    // The next photo is looked at in its middle.
    session.tag(dog);
    expect(last().asked.at(-1)?.photo).toEqual({ kind: 'file', file: dog });
  });

  it('shows the last photo alone', async () => {
    const { session, last, told } = fakeVisit();
    session.start();
    last().hear({ kind: 'ready', labels: [] });
    session.tag(cat);
    const early = last().asked[0]?.id;
    session.tag(dog);
    await told();
    last().tags(null, early);
    expect(await told()).toEqual([]);
    last().tags();
    expect(states(await told())).toEqual(['tagged']);
  });

  it('tells what the downloads and the worker tell, stages only before the first tags', async () => {
    const { session, last, told } = fakeVisit();
    session.start();
    session.tag(cat);
    await told();
    last().events.progress(4);
    last().events.interrupted(true);
    last().events.finished(SPAN);
    last().hear({ kind: 'stage', stage: 'decode', span: SPAN });
    expect(await told()).toEqual([
      ['progress', 4, 9],
      ['interrupted', true],
      ['stage', 'download', SPAN],
      ['stage', 'decode', SPAN],
    ]);
    last().tags();
    await told();
    last().hear({ kind: 'stage', stage: 'first-tag', span: SPAN });
    expect(await told()).toEqual([]);
  });

  it('says once why a photo is refused, and forgets it', async () => {
    const { session, clients, told } = fakeVisit({ preview: modelFiles('preview') });
    session.start();
    session.tag(cat);
    clients[0]?.events.finished(SPAN);
    clients.forEach(({ hear }) => hear({ kind: 'ready', labels: [] }));
    await told();
    const id = clients[0]?.asked[0]?.id ?? 0;
    clients.forEach(({ hear }) => hear({ kind: 'refused', id, refusal: 'altered-pixels' }));
    await vi.waitUntil(() => session.photo === null);
    const heard = await told();
    expect(failures(heard)).toHaveLength(1);
    expect(states(heard)).toEqual(['failed']);
    expect(clients.every(({ isGivenUp }) => isGivenUp)).toBe(true);
  });

  it('tells a client that waits for a photo that none will come', async () => {
    const { session, last, told } = fakeVisit();
    session.expect();
    session.start();
    expect(last().options?.expectsPhoto).toBe(true);
    session.giveUp('no such sample');
    expect(last().isGivenUp).toBe(true);
    expect(failures(await told())).toEqual([['failed', 'no such sample', false]]);
  });
});

describe('a preview', () => {
  it('comes first, gets the photos, and ends with the full model’s first tags', async () => {
    const { session, clients, told } = fakeVisit({ preview: modelFiles('preview') });
    session.start();
    session.tag(cat);
    expect(clients.map(({ files }) => files)).toEqual([modelFiles('preview')]);
    // It compares nothing.
    expect(clients[0]?.preference).toMatchObject({ kind: 'forced', backend: 'wasm' });
    clients[0]?.hear({ kind: 'ready', labels: [] });
    await told();
    clients[0]?.events.finished(SPAN);
    expect(clients.map(({ files }) => files)).toEqual([modelFiles('preview'), modelFiles('full')]);
    expect(clients[1]?.photos).toEqual([cat]);
    const early = clients[0]?.tags();
    expect(await told()).toEqual([
      ['progress', 0, 9],
      ['tagged', early, 'preview'],
      ['state', 'previewing'],
    ]);
    clients[1]?.hear({ kind: 'ready', labels: [] });
    expect(states(await told())).toEqual(['previewing']);
    const tagging = clients[1]?.tags();
    expect(await told()).toEqual([['tagged', tagging, 'full'], ['state', 'tagged'], ['upgraded']]);
    expect(clients[0]?.isEnded).toBe(true);
    expect(clients[1]?.isEnded).toBe(false);
  });

  it('is given up without a word where it fails, and not tried again', async () => {
    const info = vi.spyOn(console, 'info').mockReturnValue();
    const { session, clients, last, told } = fakeVisit({ preview: modelFiles('preview') });
    session.start();
    clients[0]?.hear({ kind: 'failed', failure: network });
    expect(info).toHaveBeenCalledWith('The page does without its preview.', network);
    info.mockRestore();
    expect(last().files).toEqual(modelFiles('full'));
    expect(failures(await told())).toEqual([]);
    last().hear({ kind: 'failed', failure: network });
    session.start(true);
    expect(clients.map(({ files }) => files?.contract)).toEqual([
      'preview.contract',
      'full.contract',
      'full.contract',
    ]);
  });

  it('does not hide that the full model failed', async () => {
    const { session, clients, told } = fakeVisit({ preview: modelFiles('preview') });
    session.start();
    clients[0]?.hear({ kind: 'ready', labels: [] });
    clients[0]?.events.finished(SPAN);
    clients[1]?.hear({ kind: 'failed', failure: network });
    session.tag(cat, false);
    await told();
    clients[0]?.tags();
    const heard = await told();
    expect(heard.map(([name]) => name)).toEqual(['tagged']);
  });
});

describe('a retry', () => {
  it('fetches past the cache and tags the photo again', async () => {
    const { session, clients, last, told } = fakeVisit();
    session.start();
    session.tag(cat);
    last().hear({ kind: 'failed', failure: network });
    const heard = await told();
    expect(failures(heard)).toEqual([['failed', failureSentence(network), true]]);
    expect(states(heard).at(-1)).toBe('failed');
    session.start(true);
    expect(clients).toHaveLength(2);
    expect(clients[0]?.isEnded).toBe(true);
    expect(last().options?.bypassCache).toBe(true);
    expect(last().photos).toEqual([cat]);
  });

  it('follows a photo that the visitor gives, and no other', () => {
    const { session, clients, last } = fakeVisit();
    session.start();
    last().hear({ kind: 'failed', failure: network });
    session.tag(cat, false);
    expect(clients).toHaveLength(1);
    session.tag(dog);
    expect(clients).toHaveLength(2);
    expect(last().options?.bypassCache).toBe(true);
    expect(last().photos).toEqual([dog]);
    session.recover();
    expect(clients).toHaveLength(2);
  });

  it('hears no more of the client that failed', async () => {
    const { session, clients, last, told } = fakeVisit();
    session.start();
    last().hear({ kind: 'failed', failure: network });
    session.start(true);
    await told();
    clients[0]?.hear({ kind: 'ready', labels: [] });
    clients[0]?.hear({ kind: 'failed', failure: network });
    expect(await told()).toEqual([]);
  });
});

describe('a damaged file', () => {
  it('is fetched again once without a word', async () => {
    const { session, clients, last, told } = fakeVisit();
    session.start();
    last().hear({ kind: 'failed', failure: damaged });
    expect(clients).toHaveLength(2);
    expect(last().options?.bypassCache).toBe(true);
    expect(failures(await told())).toEqual([]);
    last().hear({ kind: 'failed', failure: damaged });
    expect(clients).toHaveLength(2);
    expect(failures(await told())).toHaveLength(1);
  });

  it('is fetched again once more after the model was ready', () => {
    const { session, clients, last } = fakeVisit();
    session.start();
    last().hear({ kind: 'failed', failure: damaged });
    last().hear({ kind: 'ready', labels: [] });
    last().hear({ kind: 'failed', failure: damaged });
    expect(clients).toHaveLength(3);
  });
});

describe('a switch', () => {
  const chosen: BackendPreference = {
    kind: 'forced',
    backend: 'webgl',
    reason: { code: 'chosen' },
  };

  it('of the backend starts a new worker with the photo', async () => {
    const { session, clients, last, told } = fakeVisit();
    session.start();
    session.tag(cat);
    last().hear({ kind: 'ready', labels: [] });
    last().tags();
    await told();
    session.switchTo(chosen);
    expect(clients[0]?.isEnded).toBe(true);
    expect(last().preference).toEqual(chosen);
    // The files are in the browser's cache.
    expect(last().options?.bypassCache).toBe(false);
    expect(last().photos).toEqual([cat]);
    expect(states(await told())).toEqual(['loading']);
  });

  it('starts the preview again too, until the full model has tagged', () => {
    const { session, clients } = fakeVisit({ preview: modelFiles('preview') });
    session.start();
    session.switchTo(chosen);
    expect(clients.map(({ files }) => files)).toEqual([
      modelFiles('preview'),
      modelFiles('preview'),
    ]);
    expect(clients[0]?.isEnded).toBe(true);
    clients[1]?.events.finished(SPAN);
    session.tag(cat);
    clients[2]?.tags();
    session.switchTo({ kind: 'compare' });
    expect(clients.slice(3).map(({ files }) => files)).toEqual([modelFiles('full')]);
  });

  it('fetches past the cache only where a file was what failed', () => {
    const { session, last } = fakeVisit();
    session.start();
    last().hear({ kind: 'failed', failure: network });
    session.switchTo(chosen);
    expect(last().options?.bypassCache).toBe(true);
  });

  it('falls back to WebAssembly, then to JavaScript, where the backend fails', async () => {
    const { session, clients, last, told } = fakeVisit({ preference: chosen });
    session.start();
    const failure: Failure = { code: 'backend', backend: 'webgl', detail: 'context lost' };
    last().hear({ kind: 'failed', failure });
    expect(last().preference).toEqual({
      kind: 'forced',
      backend: 'wasm',
      reason: { code: 'chosen-failed', chosen: 'webgl', detail: 'context lost' },
    });
    last().hear({
      kind: 'failed',
      failure: { code: 'backend', backend: 'wasm', detail: 'no memory' },
    });
    expect(last().preference).toMatchObject({ backend: 'cpu' });
    expect(failures(await told())).toEqual([]);
    last().hear({ kind: 'failed', failure: { code: 'backend', backend: 'cpu', detail: '' } });
    expect(clients).toHaveLength(3);
    expect(failures(await told())).toHaveLength(1);
  });

  it('of the variant loads its files', () => {
    const { session, clients, last } = fakeVisit();
    session.start();
    session.tag(cat);
    session.take(modelFiles('other'));
    expect(clients[0]?.isEnded).toBe(true);
    expect(last().files).toEqual(modelFiles('other'));
    expect(last().preference).toEqual({ kind: 'compare' });
    expect(last().photos).toEqual([cat]);
  });
});
