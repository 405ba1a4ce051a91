import { describe, expect, it } from 'vitest';

import { compareInTurn, median, type Progress, type Trial } from '../src/page/variant-comparison';
import type { Variant } from '../src/page/site-files';

const [float16, mixed, tiny] = ['float16', 'mixed', 'tiny'].map((name): Variant => ({
  name,
  contract: name,
  weights: [],
  earlyWeights: 0,
  weightBytes: 1,
  drop: null,
})) as [Variant, Variant, Variant];

/** A trial whose first tag is of this class. */
function trial(classIndex: number): Trial {
  const tags = [{ classIndex, label: '', score: 1 }];
  return { loadMs: 1, wireBytes: 1, inferenceMs: 1, tags };
}

/** Compares three variants; returns how many were done and what was shown of each. */
async function compared(
  attempt: (variant: Variant) => Promise<Trial>,
  signal = new AbortController().signal,
): Promise<{ done: number; shown: Record<string, Progress[]> }> {
  const shown: Record<string, Progress[]> = {};
  const done = await compareInTurn(
    [float16, mixed, tiny],
    attempt,
    ({ name }, progress) => (shown[name] ??= []).push(progress),
    signal,
  );
  return { done, shown };
}

describe('compareInTurn', () => {
  it('tries one after the other and holds each against the first', async () => {
    let running = 0;
    const classes = new Map([
      [float16, 7],
      [mixed, 7],
      [tiny, 3],
    ]);
    const { done, shown } = await compared(async (variant) => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      return trial(classes.get(variant) ?? -1);
    });
    expect(done).toBe(3);
    expect(shown['float16']?.map(({ kind }) => kind)).toEqual(['waiting', 'running', 'done']);
    expect(shown['float16']?.at(-1)).toMatchObject({ agrees: null });
    expect(shown['mixed']?.at(-1)).toMatchObject({ agrees: true });
    expect(shown['tiny']?.at(-1)).toMatchObject({ agrees: false });
  });

  it('takes two that say none of these for agreed, whatever is nearest', async () => {
    const far = (classIndex: number): Trial => ({
      ...trial(classIndex),
      tags: [{ classIndex, label: '', score: 1, isNearest: true }],
    });
    const { shown } = await compared((variant) =>
      Promise.resolve(variant === float16 ? far(7) : variant === mixed ? far(3) : trial(7)),
    );
    expect(shown['mixed']?.at(-1)).toMatchObject({ agrees: true });
    expect(shown['tiny']?.at(-1)).toMatchObject({ agrees: false });
  });

  it('goes on after one that fails, and agrees with none where that was the first', async () => {
    const error = new Error('no');
    const { done, shown } = await compared((variant) =>
      variant === float16 ? Promise.reject(error) : Promise.resolve(trial(1)),
    );
    expect(done).toBe(2);
    expect(shown['float16']?.at(-1)).toEqual({ kind: 'failed', error });
    expect(shown['mixed']?.at(-1)).toMatchObject({ kind: 'done', agrees: null });
  });

  it('ends what runs and what waits when it is cancelled', async () => {
    const cancel = new AbortController();
    const tried: Variant[] = [];
    const { done, shown } = await compared((variant) => {
      tried.push(variant);
      if (variant === mixed) {
        cancel.abort();
        return Promise.reject(new Error('ended'));
      }
      return Promise.resolve(trial(1));
    }, cancel.signal);
    expect(done).toBe(1);
    expect(tried).toEqual([float16, mixed]);
    expect(shown['float16']?.at(-1)?.kind).toBe('done');
    expect(shown['mixed']?.at(-1)?.kind).toBe('cancelled');
    expect(shown['tiny']?.at(-1)?.kind).toBe('cancelled');
  });
});

describe('median', () => {
  it.each([
    [[5], 5],
    [[9, 1, 5], 5],
    [[10, 9, 100, 1], 9.5],
  ])('of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle);
  });

  it('of nothing is not a number', () => {
    expect(median([])).toBeNaN();
  });
});
