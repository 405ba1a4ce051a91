/** How many values a weight has, and how many bytes they take as TF.js stores them. */

import type { io } from './tfjs';

const BYTES_PER_VALUE: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  int32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
  complex64: 8,
};

/** Returns how many values a weight of that shape has. */
export function valueCount(shape: readonly number[]): number {
  return shape.reduce((size, side) => size * side, 1);
}

/** Returns how many bytes a weight takes in its file, or null if its kind is unknown. */
export function plainBytes(spec: io.WeightsManifestEntry): number | null {
  const perValue = BYTES_PER_VALUE[spec.quantization?.dtype ?? spec.dtype];
  return perValue === undefined ? null : perValue * valueCount(spec.shape);
}
