// Made from docs/report.networks.schema.json by `npm run schemas`; do not edit.

import { check, isNumber, isText, isWhole, list, nullable, object } from './checks';

/** First visits, or second ones; medians. */
export interface Visits {
  readonly first_tag_ms: number;
  readonly full_tag_ms: number | null;
  readonly wire_bytes: number;
}
/** Checks a {@link Visits}. */
export const checkVisits = object<Visits>({
  first_tag_ms: check(isNumber, 'a number'),
  full_tag_ms: nullable(check(isNumber, 'a number')),
  wire_bytes: check(isWhole, 'a whole number'),
});

/** The cost of visits on one network, with one host and one backend. */
export interface Profile {
  readonly network: string;
  readonly host: 'toolchain' | 'plain' | null;
  readonly backend: string;
  readonly ran_on: string;
  readonly browser: string;
  readonly runs: number;
  readonly first: Visits;
  readonly repeat: Visits;
}
/** Checks a {@link Profile}. */
export const checkProfile = object<Profile>({
  network: check(isText, 'a text'),
  host: nullable(
    check((value) => value === 'toolchain' || value === 'plain', '"toolchain" or "plain"'),
  ),
  backend: check(isText, 'a text'),
  ran_on: check(isText, 'a text'),
  browser: check(isText, 'a text'),
  runs: check(isWhole, 'a whole number'),
  first: checkVisits,
  repeat: checkVisits,
});

/** A link that is slower than the machine. */
export interface SlowLink {
  readonly name: string;
  readonly down_bits: number;
  readonly up_bits: number | null;
  readonly round_trip_ms: number;
}
/** Checks a {@link SlowLink}. */
export const checkSlowLink = object<SlowLink>({
  name: check(isText, 'a text'),
  down_bits: check(isNumber, 'a number'),
  up_bits: nullable(check(isNumber, 'a number')),
  round_trip_ms: check(isNumber, 'a number'),
});

/** The one schema number of Networks that this page understands. */
export const NETWORKS_SCHEMA = 1;
/** The whole file. */
export interface Networks {
  readonly schema: 1;
  readonly networks: readonly SlowLink[];
  readonly measured: readonly Profile[];
}
/** Checks a {@link Networks}. */
export const checkNetworks = object<Networks>({
  schema: check((value) => value === 1, '1'),
  networks: list(checkSlowLink),
  measured: list(checkProfile),
});
