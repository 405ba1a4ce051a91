/** Fetches the contract, the graph and its weights. */

import { type Contract, ContractError, parseContract } from '../contract';
import { type Downloader, fileName } from './download';
import { FailureError } from './failure-error';
import { unpackWeights } from './packed-weights';
import type { io } from './tfjs';
import { readModelJson, type WeightGroup } from './weights-manifest';

/** All that was downloaded of a model. */
export interface ModelFiles {
  readonly contract: Contract;
  readonly artifacts: io.ModelArtifacts;
  /** What packed weights are scaled by; null if none is packed, or none any more. */
  scales: Float32Array | null;
  /** The name of the `model.json`, for messages. */
  readonly file: string;
}

/**
 * Fetches what the contract leads to; all files of weights at once.
 *
 * @param progress - Called with the bytes of weights so far and of all that will come.
 */
export async function fetchModel(
  downloader: Downloader,
  base: URL,
  contractAddress: string,
  progress: (receivedBytes: number, totalBytes: number) => void,
): Promise<ModelFiles> {
  const contract = await fetchContract(downloader, new URL(contractAddress, base));
  const modelUrl = new URL(contract.model.url, base);
  const file = fileName(modelUrl);
  const model = readModelJson(await downloader.json(modelUrl));
  if (!model) {
    throw new FailureError({ code: 'manifest', file });
  }

  const totalBytes = model.groups.reduce((sum, group) => sum + group.bytes, 0);
  let receivedBytes = 0;
  progress(receivedBytes, totalBytes);
  const files = await Promise.all(
    model.groups.map((group) =>
      fetchGroup(downloader, modelUrl, group, (bytes) => {
        receivedBytes += bytes;
        progress(receivedBytes, totalBytes);
      }),
    ),
  );

  const { modelTopology, signature, userDefinedMetadata, format } = model.json;
  return {
    contract,
    file,
    scales: model.scales,
    artifacts: {
      modelTopology,
      ...(format === undefined ? {} : { format }),
      ...(signature === undefined ? {} : { signature }),
      ...(userDefinedMetadata === undefined ? {} : { userDefinedMetadata }),
      weightSpecs: model.groups.flatMap((group) => group.specs),
      weightData: files.flat().map((bytes) => bytes.buffer),
    },
  };
}

/**
 * Unpacks packed weights, if there are any.
 *
 * In place, so that nobody keeps the packed bytes, whoever else holds the files.
 */
export function unpackModel(files: ModelFiles): void {
  const { artifacts, scales } = files;
  if (!scales) {
    return;
  }
  const { specs, data } = unpackWeights(
    artifacts.weightSpecs ?? [],
    artifacts.weightData as ArrayBuffer[],
    scales,
  );
  artifacts.weightSpecs = specs;
  artifacts.weightData = data;
  files.scales = null;
}

async function fetchContract(downloader: Downloader, url: URL): Promise<Contract> {
  const json = await downloader.json(url);
  try {
    return parseContract(json);
  } catch (error) {
    if (error instanceof ContractError) {
      throw new FailureError({ code: 'contract', file: fileName(url), fault: error.fault }, error);
    }
    throw error;
  }
}

async function fetchGroup(
  downloader: Downloader,
  modelUrl: URL,
  group: WeightGroup,
  arrived: (bytes: number) => void,
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const files = await Promise.all(
    group.paths.map((path) => downloader.bytes(new URL(path, modelUrl), arrived)),
  );
  const received = files.reduce((sum, bytes) => sum + bytes.byteLength, 0);
  if (received !== group.bytes) {
    // The manifest knows the length of the group only, not of each of its files.
    const file = group.paths.join(' + ');
    throw new FailureError({ code: 'length', file, expected: group.bytes, received });
  }
  return files;
}
