import { describe, expect, it } from 'vitest';

import { bestTags, scoresOf, softmax, tagsOf } from '../src/worker/ranking';

describe('softmax', () => {
  it('sums to 1 and keeps the ratios', () => {
    const scores = softmax(Float32Array.of(0, Math.log(2), Math.log(5)));
    [1 / 8, 2 / 8, 5 / 8].forEach((score, index) => expect(scores[index]).toBeCloseTo(score, 7));
  });

  it('bears outputs whose powers would overflow', () => {
    expect([...softmax(Float32Array.of(10_000, 10_000, -10_000))]).toEqual([0.5, 0.5, 0]);
  });
});

describe('scoresOf', () => {
  it('takes the sigmoid of each output by itself', () => {
    const scores = scoresOf(Float32Array.of(0, Math.log(3), -Math.log(3)), {
      activation: 'sigmoid',
    });
    [0.5, 0.75, 0.25].forEach((score, index) => expect(scores[index]).toBeCloseTo(score, 7));
  });
});

describe('bestTags', () => {
  const labels = ['ash', 'birch', 'cedar'];

  it('applies the softmax over all outputs before it drops those without a label', () => {
    const outputs = Float32Array.of(Math.log(5), 0, Math.log(3), Math.log(1));
    const tags = bestTags(outputs, { label_offset: 1, activation: 'softmax', labels }, 1);
    expect(tags).toHaveLength(1);
    expect(tags[0]).toMatchObject({ classIndex: 1, label: 'birch' });
    expect(tags[0]?.score).toBeCloseTo(0.3, 7);
  });

  it('takes scores as they are where the graph made them', () => {
    const tags = bestTags(Float32Array.of(0.25, 0.5, 0.125), {
      label_offset: 0,
      activation: 'none',
      labels,
    });
    expect(tags).toEqual([
      { classIndex: 1, label: 'birch', score: 0.5 },
      { classIndex: 0, label: 'ash', score: 0.25 },
      { classIndex: 2, label: 'cedar', score: 0.125 },
    ]);
  });

  it('puts the lower class first among equals', () => {
    const tags = bestTags(Float32Array.of(1, 1, 1), {
      label_offset: 0,
      activation: 'none',
      labels,
    });
    expect(tags.map(({ label }) => label)).toEqual(labels);
  });
});

describe('tagsOf', () => {
  const spec = {
    label_offset: 0,
    activation: 'none',
    threshold: 0.5,
    labels: ['ash', 'birch', 'cedar'],
    none_of_these: null,
    features: null,
  } as const;

  it('gives every label that reaches the threshold where a photo may have several', () => {
    const tags = tagsOf(Float32Array.of(0.5, 0.25, 0.75), { ...spec, task: 'multi-label' });
    expect(tags.map(({ label }) => label)).toEqual(['cedar', 'ash']);
  });

  it('marks the nearest label where none reaches the threshold', () => {
    const tags = tagsOf(Float32Array.of(0.125, 0.25, 0), { ...spec, task: 'multi-label' });
    expect(tags).toEqual([{ classIndex: 1, label: 'birch', score: 0.25, isNearest: true }]);
  });

  it('gives the best labels, however low, where a photo has one', () => {
    const tags = tagsOf(Float32Array.of(0.125, 0.25, 0), { ...spec, task: 'single-label' });
    expect(tags.map(({ label }) => label)).toEqual(['birch', 'ash', 'cedar']);
    expect(tags.every(({ isNearest }) => !isNearest)).toBe(true);
  });

  const rule = { threshold: 0.5, coordinates: '', centres: '', feature: 'pool' };
  const nearest = [{ classIndex: 1, label: 'birch', score: 0.75, isNearest: true }];
  const ofTask = (task: 'single-label' | 'multi-label', cosine: number | null) =>
    tagsOf(Float32Array.of(0.5, 0.75, 0), { ...spec, task, none_of_these: rule }, cosine);

  it.each(['single-label', 'multi-label'] as const)(
    'gives the nearest label alone to a photo that is far from all of them: %s',
    (task) => {
      expect(ofTask(task, 0.49)).toEqual(nearest);
      expect(ofTask(task, Number.NaN)).toEqual(nearest);
      expect(
        ofTask(task, 0.5)
          .map(({ label }) => label)
          .slice(0, 2),
      ).toEqual(['birch', 'ash']);
    },
  );
});
