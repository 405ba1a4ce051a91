import { describe, expect, it } from 'vitest';

import type { Variant } from '../src/page/site-files';
import { addressedVariant, variantAddress } from '../src/page/variant-choice';

const [auto, tiny] = ['auto', 'tiny'].map((name): Variant => ({
  name,
  contract: name,
  weights: [],
  earlyWeights: 0,
  weightBytes: 1,
  drop: null,
})) as [Variant, Variant];

describe('addressedVariant', () => {
  it.each([
    ['?variant=tiny', tiny],
    ['?backend=cpu&variant=tiny', tiny],
    ['?variant=auto', auto],
    ['?variant=other', auto],
    ['', auto],
  ])('of %j', (search, expected) => {
    expect(addressedVariant([auto, tiny], search)).toBe(expected);
  });

  it('is none where the site has none', () => {
    expect(addressedVariant([], '?variant=tiny')).toBeUndefined();
  });
});

describe('variantAddress', () => {
  it.each([
    [tiny, 'https://host/site/', 'https://host/site/?variant=tiny'],
    [tiny, 'https://host/?backend=cpu#a', 'https://host/?backend=cpu&variant=tiny#a'],
    [auto, 'https://host/?backend=cpu&variant=tiny', 'https://host/?backend=cpu'],
    [auto, 'https://host/?variant=tiny', 'https://host/'],
  ])('of %o from %s', (variant, from, expected) => {
    expect(variantAddress([auto, tiny], variant, from)).toBe(expected);
  });
});
