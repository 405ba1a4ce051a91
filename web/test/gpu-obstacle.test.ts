import { describe, expect, it } from 'vitest';

import { isSoftware } from '../src/worker/gpu-obstacle';

describe('isSoftware', () => {
  it.each([
    'ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)',
    'llvmpipe (LLVM 15.0.7, 256 bits)',
    'ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11 vs_5_0 ps_5_0, D3D11)',
    'Apple Software Renderer',
  ])('knows %s', (renderer) => {
    expect(isSoftware(renderer)).toBe(true);
  });

  it.each([
    'Apple GPU',
    'Adreno (TM) 640',
    'ANGLE (Intel, Mesa Intel(R) UHD Graphics 620, OpenGL 4.6)',
  ])('lets %s pass', (renderer) => {
    expect(isSoftware(renderer)).toBe(false);
  });
});
