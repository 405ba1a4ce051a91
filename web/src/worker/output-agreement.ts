/** How far outputs may be apart, as a part of the largest one, and still be the same. */
const TOLERANCE = 1e-2;

/** Says whether two backends gave the same outputs, but for the last digits. */
export function alike(one: Float32Array, other: Float32Array): boolean {
  const greatest = one.reduce((most, output) => Math.max(most, Math.abs(output)), 1e-6);
  return (
    one.length === other.length &&
    one.every(
      (output, index) => Math.abs(output - (other[index] ?? Number.NaN)) <= greatest * TOLERANCE,
    )
  );
}
