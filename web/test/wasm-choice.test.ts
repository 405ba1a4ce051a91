import { expect, it } from 'vitest';

import { HAS_SIMD } from '../src/page/simd-support';

it('knows vector instructions when it sees them', () => {
  expect(HAS_SIMD).toBe(true);
});
