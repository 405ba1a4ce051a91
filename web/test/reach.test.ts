import { describe, expect, it } from 'vitest';

import { reach } from '../build/reach.ts';

// Each of them bundles TF.js several times.
describe('reach', { timeout: 120_000 }, () => {
  it('follows an operation to its kernel', async () => {
    const { kernels } = await reach(new Set(['Relu6']));
    expect(kernels).toContain('Relu6');
    expect(kernels).not.toContain('Conv2D');
  });

  it('finds the kernels that a kernel calls, with their functions', async () => {
    const { kernels, wasmFunctions } = await reach(new Set(['Mean']));
    expect(kernels).toContain('Transpose');
    expect(wasmFunctions).toContain('Transpose');
    expect(wasmFunctions).not.toContain('FusedConv2D');
  });

  it('leaves out what only training calls', async () => {
    const { kernels } = await reach(new Set(['_FusedConv2D']));
    expect(kernels).toContain('FusedConv2D');
    expect(kernels).not.toContain('Conv2DBackpropFilter');
    expect(kernels).not.toContain('Prelu');
  });

  it('names an operation that TF.js has not', async () => {
    await expect(reach(new Set(['Relu', 'Svd']))).rejects.toThrow('no operation Svd');
  });

  it('names a kernel that WebAssembly has not', async () => {
    await expect(reach(new Set(['FFT']))).rejects.toThrow('no kernel FFT');
  });
});
