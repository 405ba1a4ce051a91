/**
 * Scales pixels with an antialiased triangle filter.
 *
 * The same as `tf.image.resize(method="bilinear", antialias=True)`: browsers scale each in
 * their own way, and a classifier's scores would follow. Python mirrors this arithmetic.
 */

/** The part of a row of pixels that makes up one output pixel. */
interface Taps {
  readonly first: number;
  /** They sum to 1. */
  readonly weights: Float64Array;
}

/** What is needed of an `ImageData`: rows of RGBA bytes. */
export interface RgbaPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** Returns the pixels at the new size, HWC in RGB from 0 to 255, nowhere rounded. */
export function resize(pixels: RgbaPixels, width: number, height: number): Float32Array {
  const rows = acrossRows(pixels, triangleTaps(pixels.width, width));
  return downColumns(rows, width * 3, triangleTaps(pixels.height, height));
}

/** Returns for each output position which inputs count how much. */
export function triangleTaps(inputs: number, outputs: number): readonly Taps[] {
  const scale = inputs / outputs;
  // When enlarging, the filter is as wide as an input pixel; when reducing, as an output
  // pixel, which is what keeps fine patterns from aliasing.
  const reach = Math.max(scale, 1);
  return Array.from({ length: outputs }, (_, output) => {
    const centre = (output + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach));
    const end = Math.min(inputs, Math.ceil(centre + reach));
    const weights = Float64Array.from({ length: end - first }, (_tap, index) =>
      Math.max(0, 1 - Math.abs(first + index + 0.5 - centre) / reach),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function acrossRows({ data, width, height }: RgbaPixels, taps: readonly Taps[]): Float32Array {
  const result = new Float32Array(height * taps.length * 3);
  let written = 0;
  for (let y = 0; y < height; y++) {
    for (const { first, weights } of taps) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let read = (y * width + first) * 4;
      for (const weight of weights) {
        red += weight * (data[read] ?? 0);
        green += weight * (data[read + 1] ?? 0);
        blue += weight * (data[read + 2] ?? 0);
        read += 4;
      }
      result[written++] = red;
      result[written++] = green;
      result[written++] = blue;
    }
  }
  return result;
}

function downColumns(rows: Float32Array, rowLength: number, taps: readonly Taps[]): Float32Array {
  const result = new Float32Array(taps.length * rowLength);
  const sums = new Float64Array(rowLength);
  taps.forEach(({ first, weights }, output) => {
    sums.fill(0);
    weights.forEach((weight, index) => {
      const start = (first + index) * rowLength;
      for (let x = 0; x < rowLength; x++) {
        sums[x] = (sums[x] ?? 0) + weight * (rows[start + x] ?? 0);
      }
    });
    result.set(sums, output * rowLength);
  });
  return result;
}
