import { afterEach, expect, test, vi } from 'vitest';

import { copyWhenMade } from '../src/page/clipboard';

afterEach(() => vi.unstubAllGlobals());

/** Lets the browser have a clipboard; `takes` says whether it takes promises. */
function clipboard(takes: boolean): { readonly written: string[]; readonly calls: string[] } {
  const written: string[] = [];
  const calls: string[] = [];
  vi.stubGlobal(
    'ClipboardItem',
    class {
      readonly parts: Record<string, Promise<Blob>>;
      constructor(parts: Record<string, Promise<Blob>>) {
        this.parts = parts;
      }
    },
  );
  vi.stubGlobal('navigator', {
    clipboard: {
      write: async ([{ parts }]: [{ parts: Record<string, Promise<Blob>> }]) => {
        calls.push('write');
        if (!takes) {
          throw new TypeError('a blob is needed');
        }
        written.push((await (await parts['text/plain'])?.text()) ?? '');
      },
      writeText: (text: string) => {
        calls.push('writeText');
        written.push(text);
        return Promise.resolve();
      },
    },
  });
  return { written, calls };
}

test('the clipboard is asked before the text is there', async () => {
  const { written, calls } = clipboard(true);
  let made: (text: string) => void = () => undefined;
  const copied = copyWhenMade(new Promise((resolve) => (made = resolve)));
  expect(calls).toEqual(['write']);
  made('a report');
  await copied;
  expect(written).toEqual(['a report']);
});

test('a browser that takes no promise gets the text', async () => {
  const { written, calls } = clipboard(false);
  await copyWhenMade(Promise.resolve('a report'));
  expect([written, calls]).toEqual([['a report'], ['write', 'writeText']]);
});

test('a browser without items gets the text too', async () => {
  const { written, calls } = clipboard(true);
  vi.stubGlobal('ClipboardItem', undefined);
  await copyWhenMade(Promise.resolve('a report'));
  expect([written, calls]).toEqual([['a report'], ['writeText']]);
});
