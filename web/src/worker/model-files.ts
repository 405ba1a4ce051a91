/** Receives the contract, the graph and its weights. */

import { type Contract, ContractError, parseContract } from '../contract';
import type { WorkerFiles } from '../messages';
import { FailureError } from './failure-error';
import { gunzip } from './gunzip';
import { type ByteStream, fileName, forEachPiece, type Incoming } from './incoming';
import type { io } from './tfjs';
import { WeightAssembly, type Weights } from './weight-assembly';
import { readModelJson, type WeightGroup } from './weights-manifest';

/** All that was downloaded of a model. */
export interface ModelFiles {
  readonly contract: Contract;
  readonly artifacts: io.ModelArtifacts;
  /** The name of the `model.json`, for messages. */
  readonly file: string;
}

/**
 * Receives a model; its weights are unpacked while later ones are still on their way.
 *
 * @param agreed - Called with the contract, which comes long before the weights.
 */
export async function receiveModel(
  incoming: Incoming,
  files: WorkerFiles,
  agreed: (contract: Contract) => void,
): Promise<ModelFiles> {
  const contract = await readContract(incoming, files.contract);
  agreed(contract);
  const file = fileName(contract.model.url);
  const model = readModelJson(contract.graph);
  if (!model) {
    throw new FailureError({ code: 'manifest', file });
  }
  const addresses = new Map(files.weights.map((address) => [fileName(address), address]));
  const groups = await Promise.all(
    model.groups.map((group) => {
      const streams = group.paths.map((path) => incoming.file(addresses.get(path) ?? path));
      return readWeights(streams, group, model.scales);
    }),
  );
  const { modelTopology, signature, userDefinedMetadata, format } = model.json;
  return {
    contract,
    file,
    artifacts: {
      modelTopology,
      ...(format === undefined ? {} : { format }),
      ...(signature === undefined ? {} : { signature }),
      ...(userDefinedMetadata === undefined ? {} : { userDefinedMetadata }),
      weightSpecs: groups.flatMap(({ specs }) => specs),
      weightData: groups.flatMap(({ data }) => data),
    },
  };
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

async function readWeights(
  streams: readonly ByteStream[],
  group: WeightGroup,
  scales: Float32Array | null,
): Promise<Weights> {
  const assembly = new WeightAssembly(group, scales);
  const take = (bytes: Uint8Array): void => assembly.take(bytes);
  await (scales ? gunzip(streams, group.paths.join(' + '), take) : forEachPiece(streams, take));
  return assembly.finish();
}
