/** The time axis of the waterfall, and how bars share the height of a row on it. */

/** Something that takes time; both in milliseconds. */
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Steps of an axis, of a power of ten. */
const STEPS = [1, 2, 5, 10];
const MOST_STEPS = 4;

/** Returns the distance of an axis' lines: a round number of milliseconds. */
export function stepOf(length: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(length, 1) / MOST_STEPS));
  const factor = STEPS.find((each) => each * power * MOST_STEPS >= length) ?? 10;
  return factor * power;
}

/**
 * Returns for each stretch the lane that it lies in, so that those of one lane do not overlap.
 *
 * @param stretches - In the order of their starts.
 */
export function lanesOf(stretches: readonly Stretch[]): readonly number[] {
  const ends: number[] = [];
  return stretches.map(({ start, end }) => {
    const free = ends.findIndex((last) => last <= start);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = end;
    return lane;
  });
}
