/** The runtimes that are made, from the smallest up. */

import { knownOps } from './converter-tables.ts';

/** What MobileNet V1 and V2 from TF Hub and EfficientNet-Lite become, quantised or not. */
const CORE = [
  'AddN',
  'AddV2',
  'Const',
  'Conv2D',
  'DepthwiseConv2dNative',
  'FusedDepthwiseConv2dNative',
  'Identity',
  'Mean',
  'Mul',
  'Placeholder',
  'Relu6',
  'Reshape',
  'Squeeze',
  'Sub',
  '_FusedConv2D',
  '_FusedMatMul',
];

/** What these from Keras, MobileNet V3 and small networks of the kind have besides. */
const MOBILENET = [
  ...CORE,
  'Add',
  'AvgPool',
  'BiasAdd',
  'MatMul',
  'MaxPool',
  'Pack',
  'Pad',
  'Relu',
  'Shape',
  'Sigmoid',
  'Softmax',
  'StridedSlice',
];

/**
 * Operations that TF.js' converter knows and its WebAssembly backend has no kernel for.
 *
 * Every visit starts on that backend, so the page can run none of them.
 */
export const WITHOUT_KERNEL: readonly string[] = [
  'Complex',
  'ComplexAbs',
  'Einsum',
  'FFT',
  'IFFT',
  'IRFFT',
  'Imag',
  'RFFT',
  'RaggedGather',
  'RaggedRange',
  'RaggedTensorToTensor',
  'Real',
  'StaticRegexReplace',
];

/** Categories of operations for which TF.js waits in the middle of a run; the page runs a graph in one go. */
export const WAITED_FOR: ReadonlySet<string> = new Set(['control', 'dynamic', 'hash_table']);

/** A runtime by its name: the operations of TensorFlow that it has. */
export const RUNTIMES = {
  core: () => new Set(CORE),
  mobilenet: () => new Set(MOBILENET),
  // What the page can run of all that TF.js' converter knows.
  full: () => {
    const offered = [...knownOps()].filter(
      ([op, category]) => !WITHOUT_KERNEL.includes(op) && !WAITED_FOR.has(category),
    );
    return new Set(offered.map(([op]) => op));
  },
} as const;

/** The name of a runtime. */
export type RuntimeName = keyof typeof RUNTIMES;

/** Says whether a name is that of a runtime. */
export function isRuntime(name: string): name is RuntimeName {
  return name in RUNTIMES;
}
