// Made from docs/packing.schema.json by `npm run schemas`; do not edit.

import { check, isList, isNumber, isWhole, object } from './checks';

/** What `packed` of a weight's entry in the manifest says. */
export interface Packed {
  readonly channels: number;
}
/** Checks a {@link Packed}. */
export const checkPacked = object<Packed>({
  channels: check((value) => isWhole(value) && value > 0, 'a whole number above 0'),
});

/** The one schema number of Packing that this page understands. */
export const PACKING_SCHEMA = 3;
/** What `packing` of a `model.json` says. */
export interface Packing {
  readonly schema: 3;
  readonly encoding: 'gzip-without-header';
  readonly scales: readonly number[];
}
/** Checks a {@link Packing}. */
export const checkPacking = object<Packing>({
  schema: check((value) => value === 3, '3'),
  encoding: check((value) => value === 'gzip-without-header', '"gzip-without-header"'),
  scales: check(
    (value) =>
      isList(value) &&
      value.length <= 256 &&
      value.every(
        (item) => isNumber(item) && item >= 1.401298464324817e-45 && item <= 3.4028234663852886e38,
      ),
    'a list of at most 256, each a number from 1.401298464324817e-45 and up to 3.4028234663852886e+38',
  ),
});
