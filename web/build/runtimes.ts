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

/** A runtime by its name: the operations of TensorFlow that it has. */
export const RUNTIMES = {
  core: () => new Set(CORE),
  mobilenet: () => new Set(MOBILENET),
  // What TF.js has on WebAssembly of all that its converter knows.
  full: () => new Set(knownOps().keys()),
} as const;

/** The name of a runtime. */
export type RuntimeName = keyof typeof RUNTIMES;

/** Says whether a name is that of a runtime. */
export function isRuntime(name: string): name is RuntimeName {
  return name in RUNTIMES;
}
