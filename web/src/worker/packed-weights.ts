/**
 * Unpacks weights that the build stored in one byte a value.
 *
 * A packed weight has one scale for each channel, which TF.js' own quantization has not:
 * first come the channels' indices into the `packing.scales` of the `model.json`, then the
 * values, channel after channel, for that order compresses best.
 */

import type { WeightFault } from '../messages';
import { FailureError } from './failure-error';
import type { io } from './tfjs';
import { plainBytes, valueCount } from './weight-bytes';

/** The one schema number of `packing` that this page understands. */
export const PACKING_SCHEMA = 1;

/** As many as a byte can tell apart. */
const MOST_SCALES = 256;

/** The byte that stands for 0. */
const ZERO = 128;

/** How many values of a channel are unpacked before the next one's turn. */
const BLOCK = 64;

/** Weights as TF.js knows them. */
export interface UnpackedWeights {
  readonly specs: io.WeightsManifestEntry[];
  /** Their bytes, one after another, in one or more pieces. */
  readonly data: ArrayBuffer[];
}

/** Says whether a weight is packed, rightly or wrongly. */
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
  const { schema, scales } = (packing ?? {}) as { schema?: unknown; scales?: unknown };
  if (schema !== PACKING_SCHEMA) {
    const found = JSON.stringify(schema) ?? 'missing';
    refuse(weight, { kind: 'schema', found, known: PACKING_SCHEMA });
  }
  if (!Array.isArray(scales) || scales.length > MOST_SCALES || !scales.every(isScale)) {
    refuse(weight, { kind: 'scales', most: MOST_SCALES });
  }
  return Float32Array.from(scales as readonly number[]);
}

/**
 * Returns the weights with the packed ones as float32 and the bytes of the others copied.
 *
 * @param buffers - What the files hold that belong to the weights, in their order.
 * @param scales - As {@link readScales} returns them.
 * @throws {@link FailureError} names the first weight that is damaged.
 */
export function unpackWeights(
  specs: readonly io.WeightsManifestEntry[],
  buffers: readonly ArrayBuffer[],
  scales: Float32Array,
): UnpackedWeights {
  const bytes = joined(buffers);
  const unpacked: UnpackedWeights = { specs: [], data: [] };
  let offset = 0;
  specs.forEach((spec, position) => {
    const expected = storedBytes(spec);
    const left = bytes.length - offset;
    const found = position === specs.length - 1 ? left : Math.min(left, expected);
    if (found !== expected) {
      refuse(spec.name, { kind: 'bytes', expected, found });
    }
    const stored = bytes.subarray(offset, offset + expected);
    offset += expected;
    const data = isPacked(spec) ? unpack(spec, stored, scales) : stored.slice();
    unpacked.specs.push(
      isPacked(spec) ? { name: spec.name, shape: spec.shape, dtype: 'float32' } : spec,
    );
    // TF.js, looking for a byte, loses its way among empty pieces.
    if (data.byteLength > 0) {
      unpacked.data.push(data.buffer);
    }
  });
  return unpacked;
}

function unpack(
  spec: io.WeightsManifestEntry,
  stored: Uint8Array,
  scales: Float32Array,
): Float32Array<ArrayBuffer> {
  const channels = channelsOf(spec);
  const channelScales = new Float32Array(channels);
  stored.subarray(0, channels).forEach((index, channel) => {
    const scale = scales[index];
    if (scale === undefined) {
      refuse(spec.name, { kind: 'index', index, scales: scales.length });
    }
    channelScales[channel] = scale;
  });
  return interleaved(stored.subarray(channels), channelScales);
}

/** Turns values that lie channel after channel into those with the channels last. */
function interleaved(values: Uint8Array, scales: Float32Array): Float32Array<ArrayBuffer> {
  const channels = scales.length;
  const perChannel = values.length / channels;
  const result = new Float32Array(values.length);
  // Block by block, for a whole channel's targets lie too far apart for the cache.
  for (let begin = 0; begin < perChannel; begin += BLOCK) {
    const end = Math.min(begin + BLOCK, perChannel);
    for (let channel = 0; channel < channels; channel++) {
      const scale = scales[channel] as number;
      const from = channel * perChannel;
      for (let at = begin, to = begin * channels + channel; at < end; at++, to += channels) {
        // Exact in double precision; the array rounds it, once.
        result[to] = ((values[from + at] as number) - ZERO) * scale;
      }
    }
  }
  return result;
}

function storedBytes(spec: io.WeightsManifestEntry): number {
  const bytes = isPacked(spec) ? packedBytes(spec) : plainBytes(spec);
  return bytes ?? refuse(spec.name, { kind: 'dtype', found: String(spec.dtype) });
}

function channelsOf(spec: io.WeightsManifestEntry): number {
  if (spec.dtype !== 'float32' || spec.quantization) {
    refuse(spec.name, { kind: 'dtype', found: spec.quantization?.dtype ?? String(spec.dtype) });
  }
  const { packed } = spec as { packed?: { channels?: unknown } | null };
  const channels = packed?.channels;
  const values = valueCount(spec.shape);
  if (
    !Number.isSafeInteger(channels) ||
    (channels as number) < 1 ||
    values % (channels as number)
  ) {
    refuse(spec.name, {
      kind: 'channels',
      found: JSON.stringify(channels) ?? 'missing',
      values,
    });
  }
  return channels as number;
}

function isScale(value: unknown): boolean {
  const scale = typeof value === 'number' ? Math.fround(value) : NaN;
  return scale > 0 && scale < Infinity;
}

function refuse(weight: string, fault: WeightFault): never {
  throw new FailureError({ code: 'weight', weight, fault });
}

function joined(buffers: readonly ArrayBuffer[]): Uint8Array {
  const [first] = buffers;
  if (first && buffers.length === 1) {
    return new Uint8Array(first);
  }
  const whole = new Uint8Array(buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0));
  let offset = 0;
  for (const buffer of buffers) {
    whole.set(new Uint8Array(buffer), offset);
    offset += buffer.byteLength;
  }
  return whole;
}
