import { describe, expect, it } from 'vitest';

import type { Photo, Tagging } from '../src/messages';
import { Requests } from '../src/page/requests';

const photo = (name: string): Photo => ({ kind: 'file', file: new File([], name) });
const UNTIL_WITHDRAWN = new AbortController().signal;

const nameOf = (given: Photo | undefined) =>
  given?.kind === 'file' && given.file instanceof File ? given.file.name : undefined;

describe('Requests', () => {
  it('hands on one photo beside the one on show at a time, in their order', async () => {
    const requests = new Requests();
    const first = requests.side.put(photo('a'), UNTIL_WITHDRAWN);
    void requests.side.put(photo('b'), UNTIL_WITHDRAWN);
    const next = requests.next();
    expect(nameOf(next?.photo)).toBe('a');
    expect(requests.next()).toBeUndefined();
    expect(
      requests.side.settle((next?.id ?? 0) + 1, { kind: 'refused', refusal: 'not-a-picture' }),
    ).toBe(false);
    expect(requests.side.settle(next?.id ?? 0, { kind: 'refused', refusal: 'not-a-picture' })).toBe(
      true,
    );
    expect(await first).toEqual({ kind: 'refused', refusal: 'not-a-picture' });
    expect(nameOf(requests.next()?.photo)).toBe('b');
  });

  it('lets the photo on show go first', () => {
    const requests = new Requests();
    requests.show(new File([], 'shown'));
    requests.handedOn();
    void requests.side.put(photo('a'), UNTIL_WITHDRAWN);
    expect(requests.next()).toBeUndefined();
    requests.answered(requests.shownId);
    expect(nameOf(requests.next()?.photo)).toBe('a');
  });

  it('does not take a photo beside the one on show for that one', () => {
    const requests = new Requests();
    const shown = new File([], 'shown');
    requests.show(shown);
    const { shownId } = requests;
    void requests.side.put(photo('a'), UNTIL_WITHDRAWN);
    const next = requests.next();
    expect(next?.id).not.toBe(shownId);
    expect(requests.shownId).toBe(shownId);
    expect(requests.file(shownId)).toBe(shown);
  });

  it('knows no photo that another one has replaced', () => {
    const requests = new Requests();
    requests.show(new File([], 'old'));
    const old = requests.shownId;
    requests.replace('live');
    expect(requests.file(old)).toBeUndefined();
    expect(requests.isLive).toBe(true);
    expect(requests.hasPhoto).toBe(false);
    requests.replace('expected');
    expect(requests.isLive).toBe(false);
    expect(requests.hasPhoto).toBe(true);
  });

  it('loses what is withdrawn, and closes its frame', async () => {
    const requests = new Requests();
    const end = new AbortController();
    let closed = 0;
    const frame = { close: () => closed++ } as unknown as ImageBitmap;
    const answer = requests.side.put({ kind: 'frame', frame }, end.signal);
    end.abort();
    expect(await answer).toEqual({ kind: 'lost' });
    expect(closed).toBe(1);
    expect(requests.next()).toBeUndefined();
  });

  it('leaves a frame that the worker has to the worker', async () => {
    const requests = new Requests();
    const end = new AbortController();
    let closed = 0;
    const frame = { close: () => closed++ } as unknown as ImageBitmap;
    const answer = requests.side.put({ kind: 'frame', frame }, end.signal);
    requests.next();
    end.abort();
    expect(await answer).toEqual({ kind: 'lost' });
    expect(closed).toBe(0);
    // The worker still works on it: the next one has to wait for its answer.
    expect(requests.side.isAsked).toBe(true);
  });

  const tagging = { tags: [] } as unknown as Tagging;
  const counted = () => {
    let closed = 0;
    const thumbnail = { close: () => closed++ } as unknown as ImageBitmap;
    return { answer: { kind: 'tagged', tagging, thumbnail } as const, closed: () => closed };
  };

  it('frees the small picture of a photo that was withdrawn while the worker had it', async () => {
    const requests = new Requests();
    const end = new AbortController();
    const answer = requests.side.put(photo('a'), end.signal);
    const id = requests.next()?.id ?? 0;
    end.abort();
    const { answer: late, closed } = counted();
    expect(requests.side.settle(id, late)).toBe(true);
    expect(await answer).toEqual({ kind: 'lost' });
    expect(closed()).toBe(1);
  });

  it('frees the small picture of an answer that nobody waits for', () => {
    const requests = new Requests();
    const { answer: late, closed } = counted();
    void requests.side.put(photo('a'), UNTIL_WITHDRAWN);
    const id = requests.next()?.id ?? 0;
    requests.side.abandon({ kind: 'lost' });
    expect(requests.side.settle(id, late)).toBe(false);
    expect(closed()).toBe(1);
  });

  it('leaves the small picture to whoever asked for it', async () => {
    const requests = new Requests();
    const end = new AbortController();
    const answer = requests.side.put(photo('a'), end.signal);
    const { answer: given, closed } = counted();
    requests.side.settle(requests.next()?.id ?? 0, given);
    end.abort();
    expect(await answer).toBe(given);
    expect(closed()).toBe(0);
  });

  it('loses what is withdrawn before it is asked, and closes its frame', async () => {
    const requests = new Requests();
    const end = new AbortController();
    end.abort();
    let closed = 0;
    const frame = { close: () => closed++ } as unknown as ImageBitmap;
    expect(await requests.side.put({ kind: 'frame', frame }, end.signal)).toEqual({ kind: 'lost' });
    expect(closed).toBe(1);
    expect(requests.next()).toBeUndefined();
  });

  it('answers for a worker that has ended', async () => {
    const requests = new Requests();
    const answer = requests.side.put(photo('a'), UNTIL_WITHDRAWN);
    requests.next();
    requests.side.abandon({ kind: 'lost' });
    expect(await answer).toEqual({ kind: 'lost' });
    expect(requests.side.isAsked).toBe(false);
  });
});
