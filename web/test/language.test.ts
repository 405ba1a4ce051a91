import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import english from '../../templates/strings/en.json';
import { byteSize, percent } from '../src/page/number-format';
import { say, speak } from '../src/page/language';

const SOURCES = resolve(import.meta.dirname, '../src/page');

afterEach(() => speak(english.script));

describe('say', () => {
  it('fills in placeholders', () => {
    expect(say('downloaded', { received: '1.0 MB', total: '2.0 MB' })).toBe('1.0 MB of 2.0 MB');
  });

  it('does not take what is filled in for a placeholder', () => {
    expect(say('tagSpoken', { label: '{share}', share: '1.0 %' })).toBe('{share}, 1.0 %');
  });
});

it('writes numbers as the language does', () => {
  speak({ ...english.script, decimalSeparator: ',' });
  expect(byteSize(2_340_000)).toBe('2,3 MB');
  expect(percent(0.125)).toBe('12,5 %');
});

it('has no text that nothing shows', () => {
  const code = (readdirSync(SOURCES, { recursive: true }) as string[])
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(resolve(SOURCES, file), 'utf-8'))
    .join('\n');
  const silent = Object.keys(english.script).filter((name) => !code.includes(`'${name}'`));
  expect(silent).toEqual([]);
});
