/**
 * Unpacks weights that the build stored in one byte a value.
 *
 * A packed weight has one scale for each channel, which TF.js' own quantization cannot
 * express. First come the channels' indices into the `packing.scales` of the `model.json`, then the
 * values, channel after channel. The channels come in the order of a stable sort by their
 * indices, because that compresses best.
 */

import type { WeightFault } from '../messages';
import { isObject, passes } from '../schemas/checks';
import { checkPacked, checkPacking, PACKING_SCHEMA } from '../schemas/packing';
import { FailureError } from './failure-error';
import type { io } from './tfjs';
import { valueCount } from './weight-bytes';

/** As many as a byte can tell apart. */
const MOST_SCALES = 256;

/** The byte that stands for 0. */
const ZERO = 128;

/** How many values of a channel are unpacked before the next one's turn. */
const BLOCK = 64;

/** Returns whether a weight claims to be packed. */
export function isPacked(spec: io.WeightsManifestEntry): boolean {
  return 'packed' in spec;
}

/**
 * Returns how many bytes a packed weight takes in its file.
 *
 * @throws {@link FailureError} if it cannot have been packed.
 */
export function packedBytes(spec: io.WeightsManifestEntry): number {
  return channelsOf(spec) + valueCount(spec.shape);
}

/**
 * Reads the `packing` of a `model.json`.
 *
 * @param weight - The name of a weight that needs it, for messages.
 * @throws {@link FailureError} if this page does not understand it.
 */
export function readScales(packing: unknown, weight: string): Float32Array {
  if (passes(checkPacking, packing)) {
    return Float32Array.from(packing.scales);
  }
  const { schema, encoding } = (packing ?? {}) as Readonly<Record<string, unknown>>;
  switch (checkPacking(packing ?? {}, '')?.path) {
    case 'schema':
      return refuse(weight, { kind: 'schema', found: found(schema), known: PACKING_SCHEMA });
    case 'encoding':
      return refuse(weight, { kind: 'encoding', found: found(encoding) });
    default:
      return refuse(weight, { kind: 'scales', most: MOST_SCALES });
  }
}

/**
 * Returns a packed weight's values, with the channels last.
 *
 * @param stored - As many bytes as {@link packedBytes} says.
 * @param scales - As {@link readScales} returns them.
 * @throws {@link FailureError} if it asks for a scale that is not there.
 */
export function unpack(
  spec: io.WeightsManifestEntry,
  stored: Uint8Array,
  scales: Float32Array,
): Float32Array<ArrayBuffer> {
  const channels = channelsOf(spec);
  const indices = stored.subarray(0, channels);
  const outside = indices.find((index) => index >= scales.length);
  if (outside !== undefined) {
    refuse(spec.name, { kind: 'index', index: outside, scales: scales.length });
  }
  const indexOf = (channel: number): number => indices[channel] as number;
  const order = Uint32Array.from(indices.keys()).sort(
    (one, other) => indexOf(one) - indexOf(other) || one - other,
  );
  return interleaved(
    stored.subarray(channels),
    order,
    (channel) => scales[indexOf(channel)] ?? NaN,
  );
}

/** Turns values that lie channel after channel, in an order, into those with the channels last. */
function interleaved(
  values: Uint8Array,
  order: Uint32Array,
  scaleOf: (channel: number) => number,
): Float32Array<ArrayBuffer> {
  const channels = order.length;
  const perChannel = values.length / channels;
  const result = new Float32Array(values.length);
  // Block by block, because a whole channel's targets are too far apart for the processor's cache.
  for (let begin = 0; begin < perChannel; begin += BLOCK) {
    const end = Math.min(begin + BLOCK, perChannel);
    for (let place = 0; place < channels; place++) {
      const channel = order[place] as number;
      const scale = scaleOf(channel);
      const from = place * perChannel;
      for (let at = begin, to = begin * channels + channel; at < end; at++, to += channels) {
        // Exact in double precision; the array rounds it, once.
        result[to] = ((values[from + at] as number) - ZERO) * scale;
      }
    }
  }
  return result;
}

function channelsOf(spec: io.WeightsManifestEntry): number {
  if (spec.dtype !== 'float32' || spec.quantization) {
    refuse(spec.name, { kind: 'dtype', found: spec.quantization?.dtype ?? String(spec.dtype) });
  }
  const { packed } = spec as { packed?: unknown };
  const values = valueCount(spec.shape);
  if (!passes(checkPacked, packed) || values % packed.channels) {
    const channels = isObject(packed) ? packed['channels'] : undefined;
    return refuse(spec.name, { kind: 'channels', found: found(channels), values });
  }
  return packed.channels;
}

function found(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}

function refuse(weight: string, fault: WeightFault): never {
  throw new FailureError({ code: 'weight', weight, fault });
}
