/**
 * Multinomial logistic regression with the squared L2 norm as penalty, by L-BFGS in the photos' dual.
 *
 * It has the optimum of `toolchain/training/logistic.py`: the features are centred and scaled
 * alike, and rare tags weigh more in the same way.
 */

import type { Gram, Layer } from './gram';
import { addTo, choleskyRow, dot, solveUpper } from './vectors';

/** The length of the scaled features, so that C = 1 is about right (`training/logistic.py`). */
const NORM = 10;
const STEPS = 200;
/** Pairs of steps that L-BFGS keeps. */
const MEMORY = 10;
/** The greatest slope for each photo at which it ends. */
const TOLERANCE = 3e-5;
/** Of the greatest square, added to the diagonal: photos may be equal. */
const NEGLIGIBLE = 1e-7;

/** Lets other work in; answers whether to go on. */
export type Breathe = () => boolean | Promise<boolean>;

/**
 * Fits the photos.
 *
 * @param tagOf - The tag of each photo; each tag has photos.
 * @param breathe - Called often.
 * @returns null where `breathe` said to stop.
 */
export async function fitLogistic(
  gram: Gram,
  tagOf: readonly number[],
  tags: number,
  breathe: Breathe,
): Promise<Layer | null> {
  const count = gram.size;
  const centre = gram.centre(count);
  const scale = NORM ** 2 / centre.spread;
  const { products, square } = centre;
  const factor: Float64Array[] = [];
  for (let at = 0; at < count; at++) {
    const entry = (other: number): number =>
      scale * (gram.of(at, other) - products[at] - products[other] + square) +
      (at === other ? NORM ** 2 * NEGLIGIBLE : 0);
    factor.push(choleskyRow(factor, entry, NORM ** 2 * NEGLIGIBLE));
    if (at % 32 === 31 && !(await breathe())) {
      return null;
    }
  }
  const solution = await minimise(objectiveOf(factor, tagOf, tags), tags * (count + 1), breathe);
  if (!solution) {
    return null;
  }
  const biases = new Float64Array(tags);
  const factors = Array.from({ length: tags }, (_, tag) => {
    const parts = solution.slice(tag * (count + 1), (tag + 1) * (count + 1));
    biases[tag] = parts[count];
    const own = parts.subarray(0, count);
    solveUpper(factor, own);
    return own.map((part) => part * scale);
  });
  return gram.layer(factors, biases, centre, count);
}

/** Returns the weight of each tag's photos: the root of how much rarer they are than the mean. */
function weightsOf(tagOf: readonly number[], tags: number): Float64Array {
  const counts = new Float64Array(tags);
  tagOf.forEach((tag) => counts[tag]++);
  const weights = counts.map((count) => Math.sqrt(tagOf.length / tags / Math.max(count, 1)));
  const mean = dot(weights, counts) / tagOf.length;
  return weights.map((weight) => weight / mean);
}

/** Returns the value at some numbers, and writes the slope: the mean cross-entropy and the penalty. */
type Objective = (at: Float64Array, slope: Float64Array) => number;

function objectiveOf(
  factor: readonly Float64Array[],
  tagOf: readonly number[],
  tags: number,
): Objective {
  const count = factor.length;
  const weights = weightsOf(tagOf, tags);
  const outputs = new Float64Array(tags);
  return (at, slope) => {
    const rows = Array.from({ length: tags }, (_, tag) =>
      at.subarray(tag * (count + 1), (tag + 1) * (count + 1)),
    );
    const slopes = rows.map((_, tag) => slope.subarray(tag * (count + 1), (tag + 1) * (count + 1)));
    slope.fill(0);
    let lost = 0;
    for (let photo = 0; photo < count; photo++) {
      const values = factor[photo];
      let most = -Infinity;
      for (let tag = 0; tag < tags; tag++) {
        outputs[tag] = dot(values, rows[tag], photo + 1) + rows[tag][count];
        most = Math.max(most, outputs[tag]);
      }
      const own = tagOf[photo];
      const weight = weights[own];
      lost -= weight * (outputs[own] - most);
      let sum = 0;
      for (let tag = 0; tag < tags; tag++) {
        outputs[tag] = Math.exp(outputs[tag] - most);
        sum += outputs[tag];
      }
      lost += weight * Math.log(sum);
      for (let tag = 0; tag < tags; tag++) {
        const error = weight * (outputs[tag] / sum - (tag === own ? 1 : 0));
        addTo(slopes[tag], values, error, photo + 1);
        slopes[tag][count] += error;
      }
    }
    for (let tag = 0; tag < tags; tag++) {
      lost += dot(rows[tag], rows[tag], count) / 2;
      addTo(slopes[tag], rows[tag], 1, count);
    }
    addTo(slope, slope, 1 / count - 1);
    return lost / count;
  };
}

/** Returns the numbers at which a convex function is least, by L-BFGS (Liu and Nocedal 1989). */
async function minimise(
  objective: Objective,
  size: number,
  breathe: Breathe,
): Promise<Float64Array | null> {
  let [at, slope] = [new Float64Array(size), new Float64Array(size)];
  let value = objective(at, slope);
  const pairs: { step: Float64Array; turn: Float64Array; scale: number }[] = [];
  for (let count = 0; count < STEPS && slope.some((each) => Math.abs(each) > TOLERANCE); count++) {
    if (!(await breathe())) {
      return null;
    }
    const direction = slope.map((each) => -each);
    const shares: number[] = [];
    for (let pair = pairs.length - 1; pair >= 0; pair--) {
      const { step, turn, scale } = pairs[pair];
      shares[pair] = scale * dot(step, direction);
      addTo(direction, turn, -shares[pair]);
    }
    const last = pairs.at(-1);
    const length = last
      ? 1 / (last.scale * dot(last.turn, last.turn))
      : 1 / Math.sqrt(dot(slope, slope));
    addTo(direction, direction, length - 1);
    pairs.forEach(({ step, turn, scale }, pair) => {
      addTo(direction, step, shares[pair] - scale * dot(turn, direction));
    });

    const steepness = dot(slope, direction);
    let [next, nextSlope, nextValue] = [at, slope, value];
    let stretch = 1;
    do {
      next = at.slice();
      addTo(next, direction, stretch);
      nextSlope = new Float64Array(size);
      nextValue = objective(next, nextSlope);
      stretch /= 2;
    } while (nextValue > value + 2e-4 * stretch * steepness && stretch > 1e-8);
    const [step, turn] = [next.slice(), nextSlope.slice()];
    addTo(step, at, -1);
    addTo(turn, slope, -1);
    const curvature = dot(step, turn);
    if (curvature > 1e-14) {
      pairs.push({ step, turn, scale: 1 / curvature });
      pairs.splice(0, pairs.length - MEMORY);
    }
    if (value - nextValue <= 1e-10 * Math.abs(value)) {
      return next;
    }
    [at, slope, value] = [next, nextSlope, nextValue];
  }
  return at;
}
