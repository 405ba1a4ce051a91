/** Receives the contract with the graph, and the weights. */

import { type Contract, ContractError, parseContract } from '../contract';
import { FailureError } from './failure-error';
import { gunzip } from './gunzip';
import { fileName, forEachPiece, type Incoming } from './incoming-files';
import { type Weight, WeightAssembly } from './weight-assembly';
import { type ModelDescription, readModelJson } from './weights-manifest';

/** A model, whose weights may still be on their way. */
export interface LoadedModel {
  readonly contract: Contract;
  readonly description: ModelDescription;
  /** Those that have come so far. */
  readonly weights: readonly Weight[];
  /** The name of the `model.json`, for messages. */
  readonly file: string;
}

/** Takes a weight that has come. */
export type AddWeight = (weight: Weight) => void;

/**
 * Receives all of a model but its weights, which come much later.
 *
 * @returns the model, and what adds weights to it.
 */
export async function receiveModel(
  incoming: Incoming,
  address: string,
): Promise<readonly [LoadedModel, AddWeight]> {
  const contract = await readContract(incoming, address);
  const file = fileName(contract.model.url);
  const description = readModelJson(contract.graph);
  if (!description) {
    throw new FailureError({ code: 'manifest', file });
  }
  const weights: Weight[] = [];
  return [{ contract, description, weights, file }, (weight) => void weights.push(weight)];
}

/**
 * Receives a model's weights, each unpacked while later ones are still on their way.
 *
 * @param addresses - Of the files that the manifest names.
 */
export async function receiveWeights(
  incoming: Incoming,
  addresses: readonly string[],
  { groups, scales }: ModelDescription,
  add: AddWeight,
): Promise<void> {
  const byName = new Map(addresses.map((address) => [fileName(address), address]));
  await Promise.all(
    groups.map(async (group) => {
      const streams = group.paths.map((path) => incoming.file(byName.get(path) ?? path));
      const assembly = new WeightAssembly(group, scales, add);
      const take = (bytes: Uint8Array): void => assembly.take(bytes);
      await (scales ? gunzip(streams, group.paths.join(' + '), take) : forEachPiece(streams, take));
      assembly.finish();
    }),
  );
}

async function readContract(incoming: Incoming, address: string): Promise<Contract> {
  const file = fileName(address);
  const decoder = new TextDecoder();
  let text = '';
  await gunzip([incoming.file(address)], file, (bytes) => {
    text += decoder.decode(bytes, { stream: true });
  });
  let json: unknown;
  try {
    json = JSON.parse(text + decoder.decode());
  } catch (error) {
    throw new FailureError({ code: 'not-json', file }, error);
  }
  try {
    return parseContract(json);
  } catch (error) {
    if (error instanceof ContractError) {
      throw new FailureError({ code: 'contract', file, fault: error.fault }, error);
    }
    throw error;
  }
}
