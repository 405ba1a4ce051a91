/** How near a photo is to what was taught; the page and the worker that learns ask for it. */

import type { TaughtRule } from './head';

/** Returns the cosine of a photo to the nearest centre; 0 where its features have no direction. */
export function nearness(
  { coordinates, centres }: Omit<TaughtRule, 'threshold'>,
  features: Float32Array,
): number {
  const chosen = Float64Array.from(coordinates, (place) => features.at(place) ?? Number.NaN);
  const length = Math.hypot(...chosen) || 1;
  let most = -1;
  for (let start = 0; start < centres.length; start += chosen.length) {
    const centre = Float64Array.from(centres.subarray(start, start + chosen.length));
    const product = centre.reduce((sum, value, at) => sum + value * (chosen.at(at) ?? 0), 0);
    most = Math.max(most, product / length / (Math.hypot(...centre) || 1));
  }
  return most;
}
