import { describe, expect, it } from 'vitest';

import { nearness } from '../src/teach/nearness';
import type { TaughtHead } from '../src/teach/head';
import type { LearnOrder } from '../src/teach/learn';
import { Teacher } from '../src/teach/teacher';
// Made by Python: see tests/teach_fixture.py.
import fixture from './teach-fixture.json';

const ROWS = fixture.features.map((row) => Float32Array.from(row));
const KEYS = ROWS.map((_, at) => at);

function order(keys: readonly number[], fresh: readonly number[], tags = 3): LearnOrder {
  return {
    id: 1,
    tags,
    keys,
    tagOf: keys.map((key) => fixture.tags[key]),
    fresh: new Map(fresh.map((key) => [key, ROWS[key]])),
  };
}

function outputs({ weights, biases }: TaughtHead, row: Float32Array): number[] {
  return Array.from(biases, (bias, tag) =>
    row.reduce((sum, value, at) => sum + value * weights[tag * row.length + at], bias),
  );
}

describe('at once', () => {
  it('judges each photo as a fit without it would', () => {
    const { judged, isFinal } = new Teacher().learn(order(KEYS, KEYS));
    expect(isFinal).toBe(false);
    expect(judged.map(({ key }) => key)).toEqual(KEYS);
    judged.forEach(({ key, tag, found, margin }) => {
      const row = fixture.leftOut[key];
      const others = row.filter((_, each) => each !== tag);
      expect(margin).toBeCloseTo(row[tag] - Math.max(...others), 6);
      expect(found).toBe(row.indexOf(Math.max(...row)));
    });
  });

  it('learns the same photo by photo, and after some are taken out and others added', () => {
    const whole = new Teacher().learn(order(KEYS, KEYS));
    const growing = new Teacher();
    KEYS.forEach((key) => growing.learn(order(KEYS.slice(0, key + 1), [key])));
    const grown = growing.learn(order(KEYS, []));
    grown.judged.forEach(({ margin }, at) => {
      expect(margin).toBeCloseTo(whole.judged[at].margin, 9);
    });
    // Of the first sixteen, which the centre is of, and of the others.
    for (const gone of [20, 3]) {
      const left = KEYS.filter((key) => key !== gone);
      const changed = new Teacher();
      changed.learn(order(KEYS, KEYS));
      const fresh = new Teacher().learn(order(left, left));
      const found = changed.learn(order(left, []));
      expect(found.judged.map(({ key }) => key)).toEqual(left);
      found.judged.forEach(({ margin }, at) => {
        expect(margin).toBeCloseTo(fresh.judged[at].margin, 9);
      });
    }
  });

  it('learns one tag, and says nothing of photos that have no others of their tag', () => {
    const own = KEYS.filter((key) => fixture.tags[key] === 0);
    const alone = new Teacher().learn(order(own, own, 1));
    expect(alone.judged).toEqual([]);
    expect(alone.head.biases).toHaveLength(1);
    const two = new Teacher().learn(order([...own, 1], [...own, 1], 2));
    expect(two.judged.map(({ key }) => key)).toEqual(own);
  });
});

describe('when there is time', () => {
  it('learns the layer and the rule that Python learns', async () => {
    const teacher = new Teacher();
    const given = order(KEYS, KEYS);
    const found = await teacher.perfect(given, teacher.learn(given), () => true);
    if (!found?.head.rule) {
      throw new Error('there is no rule');
    }
    expect(found.isFinal).toBe(true);
    const rounded = 5e-3;
    ROWS.forEach((row, at) => {
      outputs(found.head, row).forEach((output, tag) => {
        // An output may be any number as long as the differences are these.
        const other = outputs(found.head, row)[0];
        const expected = fixture.outputs[at][tag] - fixture.outputs[at][0];
        expect(Math.abs(output - other - expected)).toBeLessThan(rounded * 4);
      });
    });
    const { coordinates, centres, threshold } = found.head.rule;
    expect([...coordinates]).toEqual(fixture.rule.coordinates);
    fixture.rule.centres.flat().forEach((value, at) => {
      expect(Math.abs(centres[at] - value)).toBeLessThanOrEqual(1);
    });
    expect(threshold).toBeCloseTo(fixture.rule.threshold, 3);
    expect(nearness(found.head.rule, ROWS[0])).toBeGreaterThan(threshold);
  });

  it('ends where a newer order has come, and then takes that', async () => {
    const teacher = new Teacher();
    const given = order(KEYS, KEYS);
    const quick = teacher.learn(given);
    expect(await teacher.perfect(given, quick, () => false)).toBeNull();
    const found = await teacher.perfect(given, quick, () => true);
    // What is known of the threshold holds for photos that follow.
    const next = teacher.learn(order(KEYS.slice(1), []));
    expect(next.head.rule?.threshold).toBe(found?.head.rule?.threshold);
  });
});
