import { describe, expect, it } from 'vitest';

import { HAS_SIMD } from '../src/page/wasm-choice';
import { alike } from '../src/worker/agreement';
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

describe('alike', () => {
  it('allows for the last digits, measured by the largest output', () => {
    expect(alike(Float32Array.of(10, 0), Float32Array.of(10.05, 0.05))).toBe(true);
    expect(alike(Float32Array.of(10, 0), Float32Array.of(10, 0.2))).toBe(false);
  });

  it('refuses what is no number, and other lengths', () => {
    expect(alike(Float32Array.of(1), Float32Array.of(Number.NaN))).toBe(false);
    expect(alike(Float32Array.of(1), Float32Array.of(1, 1))).toBe(false);
  });
});

it('knows vector instructions when it sees them', () => {
  expect(HAS_SIMD).toBe(true);
});
