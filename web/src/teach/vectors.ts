/** Arithmetic on rows of numbers, written so that engines compile it to few instructions. */

/** Any row of floats. */
export type Row = Float32Array | Float64Array;

/** Returns the inner product of the first `count` numbers. */
export function dot(a: Row, b: Row, count = a.length): number {
  let [first, second, third, fourth] = [0, 0, 0, 0];
  let at = 0;
  // Four sums do not wait for each other.
  for (; at + 3 < count; at += 4) {
    first += a[at] * b[at];
    second += a[at + 1] * b[at + 1];
    third += a[at + 2] * b[at + 2];
    fourth += a[at + 3] * b[at + 3];
  }
  for (; at < count; at++) {
    first += a[at] * b[at];
  }
  return first + second + (third + fourth);
}

/** Adds a multiple of the first `count` numbers of a row to another row. */
export function addTo(sum: Row, row: Row, factor: number, count = row.length): void {
  for (let at = 0; at < count; at++) {
    sum[at] += factor * row[at];
  }
}

/** Returns rows of zeros. */
export function zeros(count: number, width: number): Float64Array[] {
  return Array.from({ length: count }, () => new Float64Array(width));
}

/** Returns the place of the greatest number; of equal ones the first. */
export function greatest(row: ArrayLike<number>): number {
  let best = 0;
  for (let at = 1; at < row.length; at++) {
    if (row[at] > row[best]) {
      best = at;
    }
  }
  return best;
}

/**
 * Returns L with L Lᵀ = K, row by row; row `i` has `i + 1` numbers.
 *
 * @param entry - Returns K's number at a row and a column not beyond it; K has no negative eigenvalue.
 * @param least - The square of the least number on the diagonal, where rounding leaves less.
 */
export function cholesky(
  size: number,
  entry: (row: number, column: number) => number,
  least: number,
): Float64Array[] {
  const rows: Float64Array[] = [];
  for (let at = 0; at < size; at++) {
    rows.push(choleskyRow(rows, (column) => entry(at, column), least));
  }
  return rows;
}

/** Returns the next row of L; see {@link cholesky}. */
export function choleskyRow(
  rows: readonly Float64Array[],
  entry: (column: number) => number,
  least: number,
): Float64Array {
  const count = rows.length;
  const row = new Float64Array(count + 1);
  for (let column = 0; column < count; column++) {
    const other = rows[column];
    row[column] = (entry(column) - dot(row, other, column)) / other[column];
  }
  row[count] = Math.sqrt(Math.max(entry(count) - dot(row, row, count), least));
  return row;
}

/** Solves Lᵀ x = b in place of b. */
export function solveUpper(rows: readonly Float64Array[], b: Float64Array): void {
  for (let at = rows.length - 1; at >= 0; at--) {
    b[at] /= rows[at][at];
    addTo(b, rows[at], -b[at], at);
  }
}

/** Solves L x = b in place of b. */
export function solveLower(rows: readonly Float64Array[], b: Float64Array): void {
  rows.forEach((row, at) => {
    b[at] = (b[at] - dot(row, b, at)) / row[at];
  });
}
