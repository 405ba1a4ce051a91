/** Reads a TF.js `model.json`: the graph, and which files hold how many bytes of weights. */

import { isPacked, packedBytes, readScales } from './packed-weights';
import type { io } from './tfjs';
import { plainBytes } from './weight-bytes';

/** Weights that lie one after another in one or more files. */
export interface WeightGroup {
  readonly paths: readonly string[];
  readonly specs: readonly io.WeightsManifestEntry[];
  /** How many bytes each weight takes, once its files are decompressed. */
  readonly sizes: readonly number[];
}

/** A graph model without its weights. */
export interface ModelDescription {
  readonly json: io.ModelJSON;
  readonly groups: readonly WeightGroup[];
  /** What packed weights are scaled by; null if none is packed, nor any file compressed. */
  readonly scales: Float32Array | null;
}

/**
 * Returns what a `model.json` describes, or null if it is no graph model.
 *
 * @throws {@link FailureError} if it has packed weights that this page cannot unpack.
 */
export function readModelJson(json: unknown): ModelDescription | null {
  if (!isRecord(json) || !isRecord(json['modelTopology'])) {
    return null;
  }
  const manifest = json['weightsManifest'];
  if (!Array.isArray(manifest)) {
    return null;
  }
  const groups: WeightGroup[] = [];
  let scales: Float32Array | null = null;
  for (const group of manifest as readonly unknown[]) {
    if (!isRecord(group) || !isTexts(group['paths']) || !Array.isArray(group['weights'])) {
      return null;
    }
    const specs = group['weights'] as readonly io.WeightsManifestEntry[];
    const packed = specs.find((spec) => isRecord(spec) && isPacked(spec));
    if (packed) {
      scales ??= readScales(json['packing'], packed.name);
    }
    const sizes = specs.map(weightBytes);
    if (sizes.includes(null)) {
      return null;
    }
    groups.push({ paths: group['paths'], specs, sizes: sizes as readonly number[] });
  }
  return { json: json as unknown as io.ModelJSON, groups, scales };
}

/** Returns how many bytes a weight takes, or null if its kind is unknown. */
function weightBytes(spec: io.WeightsManifestEntry): number | null {
  if (!Array.isArray(spec?.shape)) {
    return null;
  }
  return isPacked(spec) ? packedBytes(spec) : plainBytes(spec);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
