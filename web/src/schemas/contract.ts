// Made from docs/contract.schema.json by `npm run schemas`; do not edit.

import { check, isList, isNumber, isObject, isText, isWhole, nullable, object } from './checks';

/** The features, which tell photos apart: the input of the last dense layer. */
export interface ContractFeatures {
  readonly node: string;
  readonly width: number;
}
/** Checks a {@link ContractFeatures}. */
export const checkContractFeatures = object<ContractFeatures>({
  node: check((value) => isText(value) && value !== '', 'a text'),
  width: check((value) => isWhole(value) && value >= 1, 'a whole number from 1'),
});

/** Which model it is and where its files are. */
export interface ContractModel {
  readonly name: string;
  readonly source: string;
  readonly licence: string;
  readonly sha256: string;
  readonly url: string;
  readonly quantization: string;
  readonly weight_bytes: number;
}
/** Checks a {@link ContractModel}. */
export const checkContractModel = object<ContractModel>({
  name: check((value) => isText(value) && value !== '', 'a text'),
  source: check((value) => isText(value) && value !== '', 'a text'),
  licence: check((value) => isText(value) && value !== '', 'a text'),
  sha256: check(
    (value) => isText(value) && /^[0-9a-f]{64}$/.test(value),
    'a text that matches ^[0-9a-f]{64}$',
  ),
  url: check((value) => isText(value) && value !== '', 'a text'),
  quantization: check((value) => isText(value) && value !== '', 'a text'),
  weight_bytes: check((value) => isWhole(value) && value >= 0, 'a whole number from 0'),
});

/** The rule that finds photos of none of the labels (`toolchain/records/none_of_these.py`). */
export interface ContractNoneOfThese {
  readonly threshold: number;
  readonly coordinates: string;
  readonly centres: string;
  readonly feature: string;
}
/** Checks a {@link ContractNoneOfThese}. */
export const checkContractNoneOfThese = object<ContractNoneOfThese>({
  threshold: check(
    (value) => isNumber(value) && value >= -1 && value <= 1,
    'a number from -1 and up to 1',
  ),
  coordinates: check(isText, 'a text'),
  centres: check(isText, 'a text'),
  feature: check((value) => isText(value) && value !== '', 'a text'),
});

/** How to read the model's output row. */
export interface ContractOutput {
  readonly label_offset: number;
  readonly activation: 'softmax' | 'sigmoid' | 'none';
  readonly task: 'single-label' | 'multi-label';
  readonly threshold: number;
  readonly labels: readonly string[];
  readonly none_of_these: ContractNoneOfThese | null;
  readonly features: ContractFeatures | null;
}
/** Checks a {@link ContractOutput}. */
export const checkContractOutput = object<ContractOutput>({
  label_offset: check((value) => isWhole(value) && value >= 0, 'a whole number from 0'),
  activation: check(
    (value) => value === 'softmax' || value === 'sigmoid' || value === 'none',
    '"softmax" or "sigmoid" or "none"',
  ),
  task: check(
    (value) => value === 'single-label' || value === 'multi-label',
    '"single-label" or "multi-label"',
  ),
  threshold: check(
    (value) => isNumber(value) && value > 0 && value < 1,
    'a number above 0 and below 1',
  ),
  labels: check(
    (value) => isList(value) && value.length >= 1 && value.every((item) => isText(item)),
    'a list of at least 1, each a text',
  ),
  none_of_these: nullable(checkContractNoneOfThese),
  features: nullable(checkContractFeatures),
});

/**
 * How a photo becomes the input tensor, float32 `[1, height, width, 3]`.
 *
 * Pixel values 0…255 are mapped linearly onto `value_range`. Then, for each channel, `mean` is
 * subtracted and the result divided by `std`. Then the channels are put into the order of
 * `channels`. `crop_fraction` is the part of the shorter side that the centred square crop keeps.
 */
export interface InputSpec {
  readonly height: number;
  readonly width: number;
  readonly value_range: readonly [number, number];
  readonly crop_fraction: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly channels: 'rgb' | 'bgr';
}
/** Checks a {@link InputSpec}. */
export const checkInputSpec = object<InputSpec>({
  height: check(
    (value) => isWhole(value) && value > 0 && value <= 4096,
    'a whole number above 0 and up to 4096',
  ),
  width: check(
    (value) => isWhole(value) && value > 0 && value <= 4096,
    'a whole number above 0 and up to 4096',
  ),
  value_range: check(
    (value) =>
      isList(value) &&
      value.length === 2 &&
      new Set(value).size === value.length &&
      value.every((item) => isNumber(item)),
    'a list of 2, each a number, no two the same',
  ),
  crop_fraction: check(
    (value) => isNumber(value) && value > 0 && value <= 1,
    'a number above 0 and up to 1',
  ),
  mean: check(
    (value) => isList(value) && value.length === 3 && value.every((item) => isNumber(item)),
    'a list of 3, each a number',
  ),
  std: check(
    (value) =>
      isList(value) && value.length === 3 && value.every((item) => isNumber(item) && item > 0),
    'a list of 3, each a number above 0',
  ),
  channels: check((value) => value === 'rgb' || value === 'bgr', '"rgb" or "bgr"'),
});

/** The one schema number of Contract that this page understands. */
export const CONTRACT_SCHEMA = 4;
/** The whole file. */
export interface Contract {
  readonly schema: 4;
  readonly model: ContractModel;
  readonly input: InputSpec;
  readonly output: ContractOutput;
  readonly graph: Readonly<Record<string, unknown>>;
}
/** Checks a {@link Contract}. */
export const checkContract = object<Contract>({
  schema: check((value) => value === 4, '4'),
  model: checkContractModel,
  input: checkInputSpec,
  output: checkContractOutput,
  graph: check(isObject, 'an object'),
});
