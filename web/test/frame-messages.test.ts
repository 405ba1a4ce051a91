import { expect, test } from 'vitest';

import type { Tagging } from '../src/messages';
import { exchangeMessages } from '../src/page/frame-messages';

const APP = 'https://app.example.org';
const OTHER = 'https://other.example.org';

/** A frame in a page, with what was posted to whom, and what was tagged. */
function framed(around?: string) {
  const posted: [unknown, string][] = [];
  const given: [Blob, string][] = [];
  let hear: (event: MessageEvent<unknown>) => void = () => undefined;
  let ticket = 0;
  const parent = {
    postMessage: (message: unknown, to: unknown) => void posted.push([message, String(to)]),
  } as unknown as Window;
  const messages = exchangeMessages(
    [APP, 'http://localhost:3000'],
    {
      tag: (photo, name) => {
        given.push([photo, name]);
        ticket++;
      },
      ticket: () => ticket,
    },
    {
      parent,
      location: around === undefined ? {} : { ancestorOrigins: [around] },
      addEventListener: (_, listener) => void (hear = listener),
    },
  );
  const send = (data: unknown, origin = APP, source: unknown = parent): void =>
    hear({ data, origin, source } as MessageEvent<unknown>);
  return { messages, posted, given, send, next: () => ++ticket };
}

const tagging = (isNearest: boolean): Tagging =>
  ({ tags: [{ label: 'cat', classIndex: 3, score: 0.9, isNearest }] }) as unknown as Tagging;

test('only listed origins are told that the page is ready', () => {
  const ready = { type: 'toolchain:ready', version: 1 };
  expect(framed().posted).toEqual([
    [ready, APP],
    [ready, 'http://localhost:3000'],
  ]);
  expect(framed(APP).posted).toEqual([[ready, APP]]);
  expect(framed(OTHER).posted).toEqual([]);
});

test('a photo is taken from the page around it alone, if that is listed', () => {
  const { given, send } = framed(APP);
  const message = { type: 'toolchain:photo', photo: new Blob(['x']), name: 'cat.jpg' };
  send(message, OTHER);
  send(message, APP, {});
  send({ ...message, type: 'photo' });
  send(null);
  expect(given).toEqual([]);
  send(message);
  send({ ...message, name: 7 });
  expect(given.map(([, name]) => name)).toEqual(['cat.jpg', '']);
});

test('tags carry the id of the photo that came by a message', () => {
  const { messages, posted, send, next } = framed(APP);
  send({ type: 'toolchain:photo', photo: new Blob(['x']), id: 'first' });
  messages.tagged(tagging(false), 1);
  const tag = { label: 'cat', index: 3, score: 0.9 };
  expect(posted.at(-1)).toEqual([
    { type: 'toolchain:tags', id: 'first', tags: [tag], nearest: null },
    APP,
  ]);
  // The visitor's own photo has none.
  messages.tagged(tagging(true), next());
  expect(posted.at(-1)?.[0]).toEqual({
    type: 'toolchain:tags',
    id: null,
    tags: [],
    nearest: tag,
  });
});

test('what goes wrong is told', () => {
  const { messages, posted, send } = framed(APP);
  send({ type: 'toolchain:photo', photo: 'cat.jpg', id: 1 });
  expect(posted.at(-1)?.[0]).toMatchObject({ type: 'toolchain:error', id: 1 });
  messages.failed('No picture.', 0);
  expect(posted.at(-1)?.[0]).toEqual({
    type: 'toolchain:error',
    id: null,
    message: 'No picture.',
  });
});
