/**
 * The contract: all that the page has to know of its model besides the weights.
 *
 * The build writes it as JSON, compressed, beside the model. Both sides of the page go by
 * the types here; {@link parseContract} is the only way to make one.
 */

/** The one schema number that this page understands. */
export const CONTRACT_SCHEMA = 3;

/** Which model it is and where it lies. */
export interface ModelFacts {
  readonly name: string;
  readonly source: string;
  readonly licence: string;
  readonly sha256: string;
  /** Of the `model.json`, relative to the document; the page has its content, the graph. */
  readonly url: string;
  readonly quantization: string;
  readonly weightBytes: number;
}

/** A number each for red, green and blue. */
export type Colour = readonly [red: number, green: number, blue: number];

/** How a photo becomes the model's input. */
export interface InputSpec {
  readonly height: number;
  readonly width: number;
  /** The numbers that the pixel values 0 and 255 become. */
  readonly valueRange: readonly [low: number, high: number];
  /** Subtracted from red, green and blue, in units of {@link valueRange}. */
  readonly mean: Colour;
  /** What the rest is divided by, likewise. */
  readonly std: Colour;
  /** The order in which the model wants the colours. */
  readonly channels: 'rgb' | 'bgr';
  /** The part of the largest fitting box that the centred crop keeps. */
  readonly cropFraction: number;
}

/** How the model's outputs become tags. */
export interface OutputSpec {
  /** How many outputs come before that of the first label. */
  readonly labelOffset: number;
  /** What the page still has to apply: `none` where the graph itself returns scores. */
  readonly activation: 'softmax' | 'sigmoid' | 'none';
  /** Whether a photo has one label, or any number of them. */
  readonly task: 'single-label' | 'multi-label';
  /** Of a multi-label model: the score from which on a label is a tag. */
  readonly threshold: number;
  readonly labels: readonly string[];
}

/** A contract that has been checked. */
export interface Contract {
  readonly model: ModelFacts;
  readonly input: InputSpec;
  readonly output: OutputSpec;
  /** What stands in the `model.json`. */
  readonly graph: unknown;
}

/** Why a contract was not accepted. */
export type ContractFault =
  | { readonly kind: 'schema'; readonly found: string; readonly known: number }
  | { readonly kind: 'field'; readonly path: string; readonly expected: string };

/** Thrown by {@link parseContract}. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  readonly fault: ContractFault;

  constructor(fault: ContractFault) {
    super(
      fault.kind === 'schema'
        ? `schema ${fault.found} is not ${fault.known}`
        : `${fault.path} is not ${fault.expected}`,
    );
    this.fault = fault;
  }
}

/**
 * Checks parsed JSON and returns it as a contract.
 *
 * Keys that it does not know are passed over: a newer build may add some without
 * changing what the old ones mean, and changes the schema number if it does.
 *
 * @throws {@link ContractError} names the first fault.
 */
export function parseContract(json: unknown): Contract {
  const root = record(json, 'the contract');
  if (root['schema'] !== CONTRACT_SCHEMA) {
    throw new ContractError({
      kind: 'schema',
      found: JSON.stringify(root['schema']) ?? 'missing',
      known: CONTRACT_SCHEMA,
    });
  }
  const model = record(root['model'], 'model');
  const input = record(root['input'], 'input');
  const output = record(root['output'], 'output');
  return {
    model: {
      name: text(model['name'], 'model.name'),
      source: text(model['source'], 'model.source'),
      licence: text(model['licence'], 'model.licence'),
      sha256: text(model['sha256'], 'model.sha256'),
      url: text(model['url'], 'model.url'),
      quantization: text(model['quantization'], 'model.quantization'),
      weightBytes: whole(model['weight_bytes'], 'model.weight_bytes', 0),
    },
    input: {
      height: whole(input['height'], 'input.height', 1),
      width: whole(input['width'], 'input.width', 1),
      valueRange: valueRange(input['value_range'], 'input.value_range'),
      mean: colour(input['mean'], 'input.mean', -Infinity),
      std: colour(input['std'], 'input.std', 0),
      channels: oneOf(input['channels'], 'input.channels', ['rgb', 'bgr']),
      cropFraction: fraction(input['crop_fraction'], 'input.crop_fraction'),
    },
    output: {
      labelOffset: whole(output['label_offset'], 'output.label_offset', 0),
      activation: oneOf(output['activation'], 'output.activation', ['softmax', 'sigmoid', 'none']),
      task: oneOf(output['task'], 'output.task', ['single-label', 'multi-label']),
      threshold: fraction(output['threshold'], 'output.threshold'),
      labels: labels(output['labels'], 'output.labels'),
    },
    graph: record(root['graph'], 'graph'),
  };
}

function refuse(path: string, expected: string): never {
  throw new ContractError({ kind: 'field', path, expected });
}

function record(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse(path, 'an object');
  }
  return value as Readonly<Record<string, unknown>>;
}

function text(value: unknown, path: string): string {
  return typeof value === 'string' && value !== '' ? value : refuse(path, 'a text');
}

function whole(value: unknown, path: string, least: number): number {
  return Number.isSafeInteger(value) && (value as number) >= least
    ? (value as number)
    : refuse(path, `a whole number from ${least} up`);
}

function fraction(value: unknown, path: string): number {
  return typeof value === 'number' && value > 0 && value <= 1
    ? value
    : refuse(path, 'a number above 0 and up to 1');
}

function valueRange(value: unknown, path: string): readonly [number, number] {
  if (Array.isArray(value) && value.length === 2) {
    const [low, high] = value as readonly unknown[];
    if (typeof low === 'number' && typeof high === 'number' && low !== high) {
      return [low, high];
    }
  }
  return refuse(path, 'a pair of two different numbers');
}

function colour(value: unknown, path: string, above: number): Colour {
  if (Array.isArray(value) && value.length === 3) {
    const numbers = value as readonly unknown[];
    if (numbers.every((each) => typeof each === 'number' && each > above)) {
      return numbers as unknown as Colour;
    }
  }
  return refuse(path, above === 0 ? 'three numbers above 0' : 'three numbers');
}

function oneOf<Word extends string>(value: unknown, path: string, words: readonly Word[]): Word {
  return (
    words.find((word) => word === value) ??
    refuse(path, words.map((word) => `"${word}"`).join(' or '))
  );
}

function labels(value: unknown, path: string): readonly string[] {
  return Array.isArray(value) &&
    value.length > 0 &&
    value.every((label) => typeof label === 'string')
    ? value
    : refuse(path, 'a list of texts');
}
