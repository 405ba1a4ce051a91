/** The rule "none of these", as `toolchain/records/none_of_these.py` explains it. */

import type { ContractNoneOfThese } from '../contract';

/**
 * Returns what finds the cosine of a photo to the most similar label, given its features.
 *
 * Features that are zero in all coordinates have no direction; their cosines are 0.
 */
export function greatestCosine({
  coordinates,
  centres,
}: ContractNoneOfThese): (features: Float32Array) => number {
  const places = new Uint16Array(bytesOf(coordinates).buffer);
  const numbers = new Int8Array(bytesOf(centres).buffer);
  const count = places.length;
  const lengths: number[] = [];
  for (let start = 0; start < numbers.length; start += count) {
    lengths.push(Math.hypot(...numbers.subarray(start, start + count)));
  }
  return (features) => {
    const chosen = Array.from(places, (place) => features[place] ?? Number.NaN);
    const length = Math.hypot(...chosen) || 1;
    const cosines = lengths.map(
      (other, label) =>
        chosen.reduce(
          (sum, feature, place) => sum + feature * (numbers[label * count + place] as number),
          0,
        ) /
        length /
        other,
    );
    // Not a number where a feature is none.
    return Math.max(...cosines);
  };
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
