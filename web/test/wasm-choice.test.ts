import { expect, it } from 'vitest';

import { HAS_SIMD } from '../src/page/wasm-choice';

it('knows vector instructions when it sees them', () => {
  expect(HAS_SIMD).toBe(true);
});
