/** Formats numbers in the page's language, which may not be the browser's. */

import { say } from './language';

/** Returns bytes in the largest decimal unit that keeps them above 1, as in `935 kB`. */
export function byteSize(bytes: number): string {
  if (bytes >= 999_500) {
    return megabytes(bytes);
  }
  return bytes >= 1000 ? `${decimal(bytes / 1000, bytes < 9950 ? 1 : 0)} kB` : `${bytes} B`;
}

/** Returns bytes in megabytes, as in `0.9 MB`. */
export function megabytes(bytes: number): string {
  return `${decimal(bytes / 1e6, 1, 1)} MB`;
}

/** Returns a duration with two or three digits, as in `8.4 ms`, `120 ms` or `1.25 s`. */
export function duration(ms: number): string {
  if (ms >= 999.5) {
    return `${decimal(ms / 1000, 2)} s`;
  }
  return `${decimal(ms, ms < 9.95 ? 1 : 0)} ms`;
}

/** Returns a share of one in per cent, as in `12.5 %`. */
export function percent(share: number): string {
  const value = share * 100;
  return value > 0 && value < 0.05 ? `< ${decimal(0.1, 1)} %` : `${decimal(value, 1, 1)} %`;
}

/** Returns per cent points, as in `0.3`. */
export function points(value: number): string {
  return decimal(value, 1, 1);
}

/**
 * Returns a number.
 *
 * Without `Intl`, whose first use blocks a page for 45 to 90 ms on a slow machine.
 *
 * @param most - Digits after the separator.
 * @param least - Those that are written even if they are 0: `most` or none.
 */
export function decimal(value: number, most: number, least = 0): string {
  const [whole, digits = ''] = value.toFixed(most).split('.');
  const written = least > 0 ? digits : digits.replace(/0+$/, '');
  return written ? `${whole}${say('decimalSeparator')}${written}` : `${whole}`;
}
