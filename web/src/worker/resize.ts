/**
 * Scales pixels with an antialiased triangle filter.
 *
 * The same as `tf.image.resize(method="bilinear", antialias=True)`: browsers scale each in
 * their own way, and a classifier's scores would follow. Python mirrors this arithmetic.
 */

import type { PixelRows } from '../photo/read-crop';

/** Which inputs count how much for each output position, all in flat arrays. */
export interface Taps {
  /** For each output, the first input that counts. */
  readonly first: Int32Array;
  /** Where each output's weights begin in `weights`; one more entry than there are outputs. */
  readonly start: Int32Array;
  /** Those of one output sum to 1. */
  readonly weights: Float64Array;
}

/** What becomes of a colour's value from 0 to 255: `place` of three, `value * factor + offset`. */
export interface ColourScale {
  readonly place: number;
  readonly factor: number;
  readonly offset: number;
}

const AS_IT_IS: readonly ColourScale[] = [0, 1, 2].map((place) => ({
  place,
  factor: 1,
  offset: 0,
}));

/**
 * Returns the pixels at the new size, HWC, nowhere rounded to bytes.
 *
 * Sums are of 64 bits, in the order of the inputs; rows that were scaled across are kept in 32.
 *
 * @param scales - What becomes of red, green and blue; left out, RGB from 0 to 255.
 */
export function resize(
  pixels: PixelRows,
  width: number,
  height: number,
  scales: readonly ColourScale[] = AS_IT_IS,
): Float32Array {
  const across = triangleTaps(pixels.width, width);
  const down = triangleTaps(pixels.height, height);
  const length = width * 3;
  const [red, green, blue] = scales as [ColourScale, ColourScale, ColourScale];
  const result = new Float32Array(height * length);
  // Of the rows that were scaled across, no more are kept than one output row is made of.
  const kept = mostTaps(down);
  const rows = Array.from({ length: kept }, () => new Float32Array(length));
  const sums = new Float64Array(length);
  const inputLength = pixels.width * 4;
  let data: Uint8ClampedArray = new Uint8ClampedArray();
  /** The row of pixels that `data` begins with, and the first one not yet scaled across. */
  let begin = 0;
  let ready = 0;
  for (let y = 0; y < height; y++) {
    const first = down.first[y] as number;
    const start = down.start[y] as number;
    const count = (down.start[y + 1] as number) - start;
    for (ready = Math.max(ready, first); ready < first + count; ready++) {
      if ((ready - begin) * pixels.stride + inputLength > data.length) {
        data = pixels.from(ready);
        begin = ready;
      }
      const row = (ready - begin) * pixels.stride;
      scaleAcross(data, row, across, rows[ready % kept] as Float32Array);
    }
    sums.fill(0);
    for (let tap = 0; tap < count; tap++) {
      addTimes(
        sums,
        rows[(first + tap) % kept] as Float32Array,
        down.weights[start + tap] as number,
      );
    }
    put(result, y * length, sums, red, 0);
    put(result, y * length, sums, green, 1);
    put(result, y * length, sums, blue, 2);
  }
  return result;
}

/** Returns for each output position which inputs count how much. */
export function triangleTaps(inputs: number, outputs: number): Taps {
  const scale = inputs / outputs;
  // When enlarging, the filter is as wide as an input pixel; when reducing, as an output
  // pixel, which is what keeps fine patterns from aliasing.
  const reach = Math.max(scale, 1);
  const first = new Int32Array(outputs);
  const start = new Int32Array(outputs + 1);
  const weights = new Float64Array(outputs * (Math.ceil(2 * reach) + 1));
  let written = 0;
  for (let output = 0; output < outputs; output++) {
    const centre = (output + 0.5) * scale;
    // Those whose centres, half a pixel on, are nearer than the reach.
    const begin = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(inputs, Math.ceil(centre + reach - 0.5));
    let sum = 0;
    for (let input = begin; input < end; input++) {
      const weight = Math.max(0, 1 - Math.abs(input + 0.5 - centre) / reach);
      weights[written + input - begin] = weight;
      sum += weight;
    }
    first[output] = begin;
    for (const last = written + end - begin; written < last; written++) {
      weights[written] = (weights[written] as number) / sum;
    }
    start[output + 1] = written;
  }
  return { first, start, weights };
}

function mostTaps({ start }: Taps): number {
  let most = 1;
  for (let output = 1; output < start.length; output++) {
    most = Math.max(most, (start[output] as number) - (start[output - 1] as number));
  }
  return most;
}

/** Scales the row of pixels that begins at `row` in `data`. */
function scaleAcross(
  data: Uint8ClampedArray,
  row: number,
  { first, start, weights }: Taps,
  result: Float32Array,
): void {
  const outputs = first.length;
  let tap = 0;
  for (let output = 0; output < outputs; output++) {
    const end = start[output + 1] as number;
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let read = row + (first[output] as number) * 4; tap < end; tap++, read += 4) {
      const weight = weights[tap] as number;
      red += weight * (data[read] as number);
      green += weight * (data[read + 1] as number);
      blue += weight * (data[read + 2] as number);
    }
    const write = output * 3;
    result[write] = red;
    result[write + 1] = green;
    result[write + 2] = blue;
  }
}

function addTimes(sums: Float64Array, row: Float32Array, weight: number): void {
  for (let x = 0; x < sums.length; x++) {
    sums[x] = (sums[x] as number) + weight * (row[x] as number);
  }
}

function put(
  result: Float32Array,
  row: number,
  sums: Float64Array,
  { place, factor, offset }: ColourScale,
  colour: number,
): void {
  for (let x = 0; x < sums.length; x += 3) {
    result[row + place + x] = (sums[colour + x] as number) * factor + offset;
  }
}
