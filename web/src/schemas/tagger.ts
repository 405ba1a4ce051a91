// Made from docs/tagger.schema.json by `npm run schemas`; do not edit.

import { check, isNumber, isText, isWhole, list, nullable, object } from './checks';

/** What storing the weights in fewer bytes costs, in points, with its 95 % interval. */
export interface TaggerDrop {
  readonly points: number;
  readonly low: number;
  readonly high: number;
  readonly measure: 'top-1' | 'scores';
}
/** Checks a {@link TaggerDrop}. */
export const checkTaggerDrop = object<TaggerDrop>({
  points: check(isNumber, 'a number'),
  low: check(isNumber, 'a number'),
  high: check(isNumber, 'a number'),
  measure: check((value) => value === 'top-1' || value === 'scores', '"top-1" or "scores"'),
});

/** A file of the site with its digest, as the W3C's Subresource Integrity writes it. */
export interface TaggerFile {
  readonly url: string;
  readonly integrity: string;
}
/** Checks a {@link TaggerFile}. */
export const checkTaggerFile = object<TaggerFile>({
  url: check((value) => isText(value) && value !== '', 'a text'),
  integrity: check((value) => isText(value) && value !== '', 'a text'),
});

/** Which model it is. */
export interface TaggerModel {
  readonly name: string;
  readonly source: string;
  readonly licence: string;
  readonly sha256: string;
  readonly task: 'single-label' | 'multi-label';
}
/** Checks a {@link TaggerModel}. */
export const checkTaggerModel = object<TaggerModel>({
  name: check((value) => isText(value) && value !== '', 'a text'),
  source: check((value) => isText(value) && value !== '', 'a text'),
  licence: check((value) => isText(value) && value !== '', 'a text'),
  sha256: check((value) => isText(value) && value !== '', 'a text'),
  task: check(
    (value) => value === 'single-label' || value === 'multi-label',
    '"single-label" or "multi-label"',
  ),
});

/** What a page needs to teach the model its own tags. */
export interface TaggerTeaching {
  readonly width: number;
  readonly module: TaggerFile;
  readonly solver: TaggerFile;
}
/** Checks a {@link TaggerTeaching}. */
export const checkTaggerTeaching = object<TaggerTeaching>({
  width: check((value) => isWhole(value) && value >= 1, 'a whole number from 1'),
  module: checkTaggerFile,
  solver: checkTaggerFile,
});

/** The one schema number of TaggerManifest that this page understands. */
export const TAGGER_MANIFEST_SCHEMA = 1;
/** The whole file. */
export interface TaggerManifest {
  readonly schema: 1;
  readonly model: TaggerModel;
  readonly drop: TaggerDrop | null;
  readonly weight_bytes: number;
  readonly contract: TaggerFile;
  readonly weights: readonly TaggerFile[];
  readonly worker: readonly TaggerFile[];
  readonly simd: TaggerFile;
  readonly plain: TaggerFile;
  readonly teaching: TaggerTeaching | null;
}
/** Checks a {@link TaggerManifest}. */
export const checkTaggerManifest = object<TaggerManifest>({
  schema: check((value) => value === 1, '1'),
  model: checkTaggerModel,
  drop: nullable(checkTaggerDrop),
  weight_bytes: check((value) => isWhole(value) && value >= 0, 'a whole number from 0'),
  contract: checkTaggerFile,
  weights: list(checkTaggerFile),
  worker: list(checkTaggerFile),
  simd: checkTaggerFile,
  plain: checkTaggerFile,
  teaching: nullable(checkTaggerTeaching),
});
