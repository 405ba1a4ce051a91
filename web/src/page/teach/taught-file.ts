/**
 * The file that takes the visitor's tags elsewhere; docs/teach.md describes it.
 *
 * Numbers in it are little-endian, as in every browser's memory.
 */

import { isList, isObject, isText, isWhole } from '../../schemas/checks';
import type { TaughtHead } from '../../teach/head';
import { fitHalves, floatsOf, halvesOf } from './half';
import type { OwnTag, TaughtPhoto } from './lessons';
import { unzipped, type ZipEntry, ZipError, zipped } from './zip';

const FORMAT = 'toolchain taught tags';
const VERSION = 1;
const MOST_BYTES = 1 << 29;
const MOST_TAGS = 1000;
const MOST_NAME = 200;

/** Which model's features they are. */
export interface TaughtModel {
  readonly name: string;
  readonly sha256: string;
  /** How many features it has. */
  readonly width: number;
}

/** A photo of a taught file. */
export type FiledPhoto = Pick<TaughtPhoto, 'name' | 'features' | 'photo'> & {
  /** The place of its tag. */
  readonly tag: number;
};

/** What a taught file teaches. */
export interface TaughtFile {
  readonly tags: readonly string[];
  readonly photos: readonly FiledPhoto[];
}

interface Listed {
  readonly format: unknown;
  readonly version: unknown;
  readonly model?: { readonly name: unknown; readonly sha256: unknown };
  readonly width: unknown;
  readonly tags: readonly unknown[];
  readonly features: unknown;
  readonly photos: readonly { tag: unknown; name: unknown; file: unknown }[];
}

/** Why a file cannot be read, as a clause. */
export class TaughtFileError extends Error {
  override readonly name = 'TaughtFileError';
  /** Set where it belongs to another model: that model's name. */
  readonly other: string | null;

  constructor(clause: string, other: string | null = null) {
    super(clause);
    this.other = other;
  }
}

/**
 * Returns the file.
 *
 * @param tags - Those that the head knows, in its order.
 * @param withPhotos - Whether to put in the photos that are kept.
 */
export async function taughtFile(
  model: TaughtModel,
  tags: readonly OwnTag[],
  photos: readonly TaughtPhoto[],
  head: TaughtHead,
  withPhotos: boolean,
): Promise<Blob> {
  const places = new Map(tags.map(({ id }, place) => [id, place]));
  const known = photos.filter(({ tag }) => places.has(tag));
  const features = joined(known.map((photo) => photo.features));
  const isHalf = fitHalves(features);
  const pictures: ZipEntry[] = [];
  const listed = [];
  for (const { tag, name, photo } of known) {
    let file = null;
    if (photo && withPhotos) {
      file = `photos/${String(pictures.length + 1).padStart(5, '0')}${extensionOf(name)}`;
      pictures.push({ name: file, bytes: new Uint8Array(await photo.arrayBuffer()) });
    }
    listed.push({ tag: places.get(tag), name: name.slice(0, MOST_NAME), file });
  }
  const { rule } = head;
  const json = {
    format: FORMAT,
    version: VERSION,
    model: { name: model.name, sha256: model.sha256 },
    width: model.width,
    tags: tags.map(({ name }) => name),
    none_of_these: rule && {
      threshold: rule.threshold,
      coordinates: base64(rule.coordinates),
      centres: base64(rule.centres),
    },
    features: isHalf ? 'float16' : 'float32',
    photos: listed,
  };
  const entries: ZipEntry[] = [
    { name: 'tags.json', bytes: new TextEncoder().encode(`${JSON.stringify(json, null, 1)}\n`) },
    { name: 'layer.bin', bytes: bytesOf(joined([head.weights, head.biases])) },
    { name: 'features.bin', bytes: bytesOf(isHalf ? halvesOf(features) : features) },
    ...pictures,
  ];
  return new Blob(zipped(entries), { type: 'application/zip' });
}

/**
 * Reads what another page has written for the same model.
 *
 * @throws {@link TaughtFileError} with a clause that says why it cannot be used.
 */
export async function readTaughtFile(file: Blob, model: TaughtModel): Promise<TaughtFile> {
  if (file.size > MOST_BYTES) {
    throw new TaughtFileError(`it is larger than ${MOST_BYTES >> 20} MiB`);
  }
  let entries: ReturnType<typeof unzipped>;
  let listed: Listed;
  try {
    entries = unzipped(new Uint8Array(await file.arrayBuffer()));
    listed = JSON.parse(new TextDecoder().decode(entries.get('tags.json'))) as Listed;
  } catch (error) {
    throw new TaughtFileError(
      error instanceof ZipError ? error.message : 'it is damaged, or has no tags.json',
    );
  }
  checkListed(listed, model);
  const { tags, photos, width } = listed as Listed & { tags: string[]; width: number };
  const rows = featuresIn(entries.get('features.bin'), listed.features, photos.length * width);
  return {
    tags,
    photos: photos.map(({ tag, name, file: path }, at) => {
      const content = typeof path === 'string' ? entries.get(path) : undefined;
      return {
        tag: tag as number,
        name: name as string,
        features: rows.slice(at * width, (at + 1) * width),
        photo: content ? new Blob([content]) : null,
      };
    }),
  };
}

function checkListed(listed: Listed | null, model: TaughtModel): void {
  if (listed?.format !== FORMAT) {
    throw new TaughtFileError('it holds no taught tags');
  }
  if (listed.version !== VERSION) {
    throw new TaughtFileError(`it is of version ${String(listed.version)}, not ${VERSION}`);
  }
  const { name: other, sha256 } = listed.model ?? {};
  if (sha256 !== model.sha256) {
    const name = isText(other) ? other.slice(0, MOST_NAME) : '?';
    throw new TaughtFileError(`it belongs to another model, ${name}`, name);
  }
  const { tags, photos, width } = listed;
  const areTags =
    isList(tags) &&
    tags.length > 0 &&
    tags.length <= MOST_TAGS &&
    tags.every((tag) => isText(tag) && tag !== '' && tag.length <= MOST_NAME);
  const arePhotos =
    isList(photos) &&
    photos.every(
      (photo: unknown) =>
        isObject(photo) &&
        isText(photo['name']) &&
        isWhole(photo['tag']) &&
        photo['tag'] >= 0 &&
        photo['tag'] < tags.length,
    );
  if (!areTags || !arePhotos || width !== model.width) {
    throw new TaughtFileError('its tags.json is damaged');
  }
}

function featuresIn(
  bytes: Uint8Array<ArrayBuffer> | undefined,
  kind: unknown,
  count: number,
): Float32Array<ArrayBuffer> {
  const size = kind === 'float16' ? 2 : kind === 'float32' ? 4 : 0;
  if (!bytes || size === 0 || bytes.length !== count * size) {
    throw new TaughtFileError('its features.bin does not have a row for each photo');
  }
  // Numbers need an address that their size divides.
  const { buffer } = bytes.slice();
  const numbers = size === 2 ? floatsOf(new Uint16Array(buffer)) : new Float32Array(buffer);
  if (!numbers.every(Number.isFinite)) {
    throw new TaughtFileError('its features.bin holds what is not a number');
  }
  return numbers;
}

function joined(rows: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of rows) {
    whole.set(row, at);
    at += row.length;
  }
  return whole;
}

function bytesOf(numbers: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>) {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function base64(numbers: Uint16Array<ArrayBuffer> | Int8Array<ArrayBuffer>): string {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

function extensionOf(name: string): string {
  return /\.[A-Za-z0-9]{1,5}$/.exec(name)?.[0].toLowerCase() ?? '.jpg';
}
