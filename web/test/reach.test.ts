import { describe, expect, it } from 'vitest';

import { knownOps } from '../build/converter-tables.ts';
import { kernelsOf } from '../build/kernels.ts';
import { calledKernels, reach } from '../build/reach.ts';
import { RUNTIMES, WITHOUT_KERNEL } from '../build/runtimes.ts';

/** What the WebAssembly backend lacks of the kernels that operations may call. */
async function lacking(ops: readonly string[]): Promise<readonly string[]> {
  const available = kernelsOf('tfjs-backend-wasm');
  // `reach` adds those that kernels call, all of which the backend has.
  const called = await calledKernels(new Set(ops));
  return [...called].filter((name) => !available.has(name)).sort();
}

// Each of them bundles TF.js at least once.
describe('reach', () => {
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

  it('has a kernel for all that the full runtime offers', async () => {
    // Called for complex numbers alone, which no operation makes there, or brought along by
    // others in the same object of TF.js.
    const idle = ['ComplexAbs', 'Einsum', 'Imag', 'Real', 'StaticRegexReplace'];
    expect(await lacking([...RUNTIMES.full()])).toEqual(idle);
  });

  it('offers all operations but those without a kernel and those that are waited for', async () => {
    const known = knownOps();
    expect(WITHOUT_KERNEL.filter((op) => !known.has(op))).toEqual([]);
    const offered = RUNTIMES.full();
    for (const op of ['Where', 'NonMaxSuppressionV5', 'While', 'TensorListStack', 'HashTableV2']) {
      expect(known.has(op), op).toBe(true);
      expect(offered.has(op), op).toBe(false);
    }
    // What makes a complex number is taken out before reach() looks.
    expect(kernelsOf('tfjs-backend-wasm').has('Complex')).toBe(false);
    for (const op of WITHOUT_KERNEL.filter((name) => name !== 'Complex')) {
      expect(await lacking([op]), op).not.toEqual([]);
    }
  });
});
