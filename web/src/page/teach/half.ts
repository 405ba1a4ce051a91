/** Numbers of two bytes, IEEE 754 binary16; browsers learnt `Float16Array` in 2025. */

const GREATEST = 65504;
const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** Says whether numbers fit into halves: their size, not their digits. */
export function fitHalves(numbers: Float32Array): boolean {
  return numbers.every((number) => Math.abs(number) <= GREATEST);
}

/** Returns numbers as halves, rounded to the nearest, ties to even. */
export function halvesOf(numbers: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(numbers, (number) => {
    const size = Math.abs(number);
    const exponent = Math.max(Math.floor(Math.log2(size || 1)), -14);
    const unit = 2 ** (exponent - 10);
    const steps = evenly(size / unit);
    const rounded = steps * unit;
    const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0;
    if (rounded < 2 ** -14) {
      return sign | (rounded / 2 ** -24);
    }
    single[0] = rounded;
    const [word = 0] = bits;
    return sign | (((word >>> 23) - 112) << 10) | ((word >>> 13) & 1023);
  });
}

/** Returns halves as floats. */
export function floatsOf(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(halves, (half) => {
    const exponent = (half >>> 10) & 31;
    const digits = half & 1023;
    const size =
      exponent === 31
        ? Number.NaN
        : exponent === 0
          ? digits * 2 ** -24
          : (1024 + digits) * 2 ** (exponent - 25);
    return half & 0x8000 ? -size : size;
  });
}

function evenly(number: number): number {
  const whole = Math.floor(number);
  const rest = number - whole;
  return rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole;
}
