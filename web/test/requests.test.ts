import { describe, expect, it } from 'vitest';

import type { Photo } from '../src/messages';
import {
  fileOf,
  hasPhoto,
  NO_REQUESTS,
  replace,
  type Requests,
  show,
  takeNext,
} from '../src/page/requests';

const photo = (name: string): Photo => ({ kind: 'file', file: new File([], name) });

const withWaiting = (requests: Requests, ...names: readonly string[]): Requests => ({
  ...requests,
  waiting: names.map((name, key) => ({ key, photo: photo(name) })),
});

const nameOf = ({ asked }: Requests) =>
  asked?.photo.kind === 'file' && asked.photo.file instanceof File
    ? asked.photo.file.name
    : undefined;

describe('takeNext', () => {
  it('takes one photo beside the one on show at a time, in their order', () => {
    const first = takeNext(withWaiting(NO_REQUESTS, 'a', 'b'));
    expect(nameOf(first)).toBe('a');
    expect(takeNext(first)).toBe(first);
    expect(nameOf(takeNext({ ...first, asked: null }))).toBe('b');
  });

  it('lets the photo on show go first', () => {
    const due = {
      ...withWaiting(show(NO_REQUESTS, new File([], 'shown')), 'a'),
      isAnswerDue: true,
    };
    expect(takeNext(due)).toBe(due);
    expect(nameOf(takeNext({ ...due, isAnswerDue: false }))).toBe('a');
  });

  it('does not take a photo beside the one on show for that one', () => {
    const shown = new File([], 'shown');
    const requests = withWaiting(show(NO_REQUESTS, shown), 'a');
    const next = takeNext(requests);
    expect(next.asked?.id).not.toBe(requests.shownId);
    expect(next.shownId).toBe(requests.shownId);
    expect(fileOf(next, requests.shownId)).toBe(shown);
  });
});

describe('replace', () => {
  it('forgets the photo that was on show', () => {
    const old = show(NO_REQUESTS, new File([], 'old'));
    const live = replace(old, 'live');
    expect(fileOf(live, old.shownId)).toBe(null);
    expect(live.inPlace).toBe('live');
    expect(hasPhoto(live)).toBe(false);
    const expecting = replace(live, 'expected');
    expect(expecting.inPlace).toBe('expected');
    expect(hasPhoto(expecting)).toBe(true);
  });
});
