import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { InputSpec } from '../src/contract';
import type { Photo } from '../src/messages';
import { reduce } from '../src/page/session-reducer';
import { initialState, type SessionEvent, type SessionState } from '../src/page/session-state';
import { fakeVisit, modelFiles } from './fake-session';

const UNTIL_WITHDRAWN = new AbortController().signal;
const file = (name: string): Photo => ({ kind: 'file', file: new File([], name) });

/** A picture that counts how often it is closed. */
function picture() {
  const close = vi.fn();
  return { bitmap: { close } as unknown as ImageBitmap, close };
}

function frame() {
  const { bitmap, close } = picture();
  return { photo: { kind: 'frame', frame: bitmap } as const, close };
}

/** Returns a visit whose full model is ready. */
function readyVisit() {
  const visit = fakeVisit();
  visit.session.start();
  visit.last().hear({ kind: 'ready', labels: [] });
  return visit;
}

beforeEach(() => {
  vi.stubGlobal('navigator', {});
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('photos in the background', () => {
  it('wait for the full model, and go to it one at a time', async () => {
    const { session, last } = fakeVisit();
    const first = session.ask(file('a'), UNTIL_WITHDRAWN);
    void session.ask(file('b'), UNTIL_WITHDRAWN);
    session.start();
    expect(last().asked).toEqual([]);
    last().hear({ kind: 'ready', labels: [] });
    expect(last().photos).toMatchObject([{ name: 'a' }]);
    const tagging = last().tags();
    expect(await first).toEqual({ kind: 'tagged', tagging, thumbnail: null });
    expect(last().photos).toMatchObject([{ name: 'a' }, { name: 'b' }]);
  });

  it('wait for the photo on show, and do not replace it', async () => {
    const { session, last, told } = readyVisit();
    session.tag(new File([], 'shown'));
    void session.ask(file('a'), UNTIL_WITHDRAWN);
    expect(last().photos).toMatchObject([{ name: 'shown' }]);
    last().tags();
    expect(last().photos).toMatchObject([{ name: 'shown' }, { name: 'a' }]);
    await told();
    last().tags();
    expect(await told()).toEqual([]);
  });

  it('are lost where the worker passes over them or ends, and fail with it', async () => {
    const { session, last } = readyVisit();
    const passed = session.ask(file('a'), UNTIL_WITHDRAWN);
    last().hear({ kind: 'passed-over', id: last().asked[0]?.id ?? 0 });
    expect(await passed).toEqual({ kind: 'lost' });
    const ended = session.ask(file('b'), UNTIL_WITHDRAWN);
    session.take(modelFiles('other'));
    expect(await ended).toEqual({ kind: 'lost' });
    last().hear({ kind: 'ready', labels: [] });
    const failed = session.ask(file('c'), UNTIL_WITHDRAWN);
    last().hear({ kind: 'failed', failure: { code: 'network', file: 'other.1' } });
    expect(await failed).toEqual({ kind: 'failed' });
  });

  it('are refused to whoever asked', async () => {
    const { session, last, told } = readyVisit();
    const answer = session.ask(file('a'), UNTIL_WITHDRAWN);
    const next = session.ask(file('b'), UNTIL_WITHDRAWN);
    await told();
    last().hear({ kind: 'refused', id: last().asked[0]?.id ?? 0, refusal: 'not-a-picture' });
    expect(await answer).toEqual({ kind: 'refused', refusal: 'not-a-picture' });
    expect(await told()).toEqual([]);
    last().tags();
    expect(await next).toMatchObject({ kind: 'tagged' });
  });

  it('free the small picture of a photo that was withdrawn while the worker had it', async () => {
    const { session, last } = readyVisit();
    const end = new AbortController();
    const answer = session.ask(file('a'), end.signal);
    end.abort();
    const { bitmap, close } = picture();
    last().tags(bitmap);
    expect(await answer).toEqual({ kind: 'lost' });
    expect(close).toHaveBeenCalledOnce();
  });

  it('free the small picture of an answer that nobody waits for', () => {
    const { session, last } = readyVisit();
    void session.ask(file('a'), UNTIL_WITHDRAWN);
    const { bitmap, close } = picture();
    last().tags(bitmap, 999);
    expect(close).toHaveBeenCalledOnce();
  });

  it('leave the small picture to whoever asked for it', async () => {
    const { session, last } = readyVisit();
    const end = new AbortController();
    const answer = session.ask(file('a'), end.signal);
    const { bitmap, close } = picture();
    last().tags(bitmap);
    end.abort();
    expect(await answer).toMatchObject({ kind: 'tagged', thumbnail: bitmap });
    expect(close).not.toHaveBeenCalled();
  });
});

describe('a camera', () => {
  it('is live, and answers frame by frame', async () => {
    const { session, last, told } = readyVisit();
    session.tag(new File([], 'shown'));
    session.goLive();
    expect(session.photo).toBe(null);
    expect(last().isGivenUp).toBe(true);
    expect((await told()).at(-1)).toEqual(['state', 'live']);
    const { photo } = frame();
    const answer = session.ask(photo, UNTIL_WITHDRAWN);
    expect(last().photos.at(-1)).toBe(photo.frame);
    const tagging = last().tags();
    expect(await answer).toEqual({ kind: 'tagged', tagging, thumbnail: null });
  });

  it('starts a model that had failed again', () => {
    const { session, clients, last } = readyVisit();
    last().hear({ kind: 'failed', failure: { code: 'network', file: 'full.1' } });
    session.goLive();
    expect(clients).toHaveLength(2);
    expect(last().options).toMatchObject({ bypassCache: true, expectsPhoto: false });
  });

  it('closes a frame that waits when it is withdrawn', async () => {
    const { session, last } = fakeVisit();
    session.start();
    const end = new AbortController();
    const { photo, close } = frame();
    const answer = session.ask(photo, end.signal);
    end.abort();
    expect(await answer).toEqual({ kind: 'lost' });
    expect(close).toHaveBeenCalledOnce();
    last().hear({ kind: 'ready', labels: [] });
    expect(last().asked).toEqual([]);
  });

  it('closes a frame that is withdrawn before it is asked for', async () => {
    const { session, last } = readyVisit();
    const { photo, close } = frame();
    expect(await session.ask(photo, AbortSignal.abort())).toEqual({ kind: 'lost' });
    expect(close).toHaveBeenCalledOnce();
    expect(last().asked).toEqual([]);
  });

  it('leaves a frame that the worker has to the worker', async () => {
    const { session, last } = readyVisit();
    const end = new AbortController();
    const { photo, close } = frame();
    const answer = session.ask(photo, end.signal);
    end.abort();
    expect(await answer).toEqual({ kind: 'lost' });
    expect(close).not.toHaveBeenCalled();
    // The worker still works on it: the next one has to wait for its answer.
    void session.ask(frame().photo, UNTIL_WITHDRAWN);
    expect(last().asked).toHaveLength(1);
  });
});

describe('reduce', () => {
  const input = { height: 1, width: 1 } as InputSpec;
  const after = (...events: readonly SessionEvent[]): SessionState =>
    events.reduce<SessionState>(
      (state, event) => reduce(state, event).state,
      initialState({
        model: modelFiles('full'),
        preview: null,
        preference: { kind: 'compare' },
        offered: new Set(),
      }),
    );
  const photo = new File([], 'cat.jpg');
  const shown = after(
    { kind: 'start', bypassCache: false },
    { kind: 'tag', file: photo, isAsked: true },
  );
  const id = shown.requests.shownId;
  const decoded: Photo = { kind: 'pixels' } as Photo;
  const from = { client: 1 } as const;

  it('has a photo decoded for a worker that cannot, and hands over the pixels', () => {
    const wanted = { kind: 'pixels-wanted', id, input } as const;
    expect(reduce(shown, { kind: 'message', ...from, message: wanted }).effects).toEqual([
      { kind: 'decode', ...from, id, file: photo, input },
    ]);
    expect(reduce(shown, { kind: 'decoded', ...from, id, result: decoded }).effects).toEqual([
      { kind: 'classify', client: 1, id, photo: decoded },
    ]);
  });

  it('has a refusal explained where the page cannot decode it either', () => {
    const event = { kind: 'decoded', ...from, id, result: 'not-a-picture' } as const;
    expect(reduce(shown, event).effects).toEqual([
      { kind: 'explain', id, file: photo, refusal: 'not-a-picture' },
    ]);
  });

  it('drops pixels and sentences that come too late', () => {
    const replaced = reduce(shown, { kind: 'expect' }).state;
    expect(reduce(replaced, { kind: 'decoded', ...from, id, result: decoded }).effects).toEqual([]);
    const explained = { kind: 'explained', id, sentence: 'no picture' } as const;
    expect(reduce(replaced, explained)).toEqual({ state: replaced, effects: [] });
  });

  it('changes no state that it was given', () => {
    const before = structuredClone({ ...shown, requests: { ...shown.requests, photo: null } });
    reduce(shown, { kind: 'switch-variant', model: modelFiles('other') });
    expect({ ...shown, requests: { ...shown.requests, photo: null } }).toEqual(before);
  });
});
