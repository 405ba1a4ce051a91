import { beforeEach, expect, test } from 'vitest';

import { PhotoFoot } from '../src/page/photo-foot';
import { StatusLine } from '../src/page/status-line';

/** What of an element the line writes to. */
interface Place {
  textContent: string;
  hidden: boolean;
  readonly dataset: Record<string, string>;
}

let text: Place;
let amount: Place;
let foot: Place;
let bar: { max: number; value: number | null; removeAttribute(name: string): void };
let line: StatusLine;
let photoFoot: PhotoFoot;

function place(): Place {
  return { textContent: '', hidden: true, dataset: {} };
}

beforeEach(() => {
  [text, amount, foot] = [place(), place(), place()];
  bar = { max: 1, value: 0, removeAttribute: () => (bar.value = null) };
  photoFoot = new PhotoFoot(foot as unknown as HTMLElement);
  line = new StatusLine({
    text: text as unknown as HTMLElement,
    amount: amount as unknown as HTMLElement,
    bar: bar as unknown as HTMLProgressElement,
    foot: photoFoot,
  });
});

test('the download is shown in the line and over the photo', () => {
  line.show('loading');
  expect(bar.value).toBeNull();
  expect([text.textContent, foot.textContent]).toEqual([
    'Loading the model…',
    'Loading the model…',
  ]);
  line.progress(1_500_000, 3_000_000);
  expect([bar.value, bar.max]).toEqual([1_500_000, 3_000_000]);
  expect(amount.textContent).toBe('1.5 MB of 3.0 MB');
  expect(foot.textContent).toBe('Loading the model… 1.5 MB of 3.0 MB');
  expect([foot.hidden, foot.dataset['kind']]).toEqual([false, 'status']);
  line.progress(3_000_000, 3_000_000);
  expect([text.textContent, amount.textContent]).toEqual(['Preparing the model…', '']);
});

test('a lost connection is said until it is back', () => {
  line.show('loading');
  line.interrupted(true);
  expect(foot.textContent).toBe('Connection lost, trying again…');
  line.interrupted(false);
  expect(text.textContent).toBe('Loading the model…');
});

test('the first tag stays over the photo while the full model comes', () => {
  photoFoot.tag({ classIndex: 1, label: 'cat', score: 0.5 });
  expect([foot.textContent, foot.dataset['kind']]).toEqual(['cat 50.0 %', 'tag']);
  line.show('previewing');
  line.progress(1, 2);
  expect(foot.textContent).toBe('cat 50.0 %');
  line.show('tagged');
  expect([text.textContent, foot.textContent]).toEqual(['', 'cat 50.0 %']);
  line.upgraded();
  expect(text.textContent).toBe('Now by the full model.');
});

test('a photo of none of the labels is called so, and no tag leaves nothing', () => {
  photoFoot.tag({ classIndex: 1, label: 'cat', score: 0.5, isNearest: true });
  expect(foot.textContent).toBe('None of these');
  photoFoot.tag(undefined);
  expect([foot.textContent, foot.hidden]).toEqual(['', true]);
});

test('a template without the line over the photo works', () => {
  const none = new PhotoFoot(null);
  expect(() => none.status('Loading the model…')).not.toThrow();
});
