/**
 * Writes and reads zip files whose entries are stored as they are (PKWARE's APPNOTE, 6.3).
 *
 * What a taught file holds does not get smaller by compression. So it needs no code for that.
 */

/** Why a zip cannot be read, as a clause. */
export class ZipError extends Error {
  override readonly name = 'ZipError';
}

/** A file in a zip. */
export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
/** Names are UTF-8. */
const UTF8 = 0x800;
/** The earliest day that a zip can have: equal contents make equal files. */
const DAY = 0x21;
const MOST = 0xffff;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return value;
});

/** Returns the checksum of some bytes. */
export function crc32(bytes: Uint8Array): number {
  let value = -1;
  for (const byte of bytes) {
    value = (value >>> 8) ^ (TABLE[(value ^ byte) & 255] as number);
  }
  return ~value >>> 0;
}

/** Returns a zip of at most 65,535 files, in parts. */
export function zipped(entries: readonly ZipEntry[]): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const { name, bytes } of entries) {
    const written = new TextEncoder().encode(name);
    const facts = [UTF8, 0, 0, DAY] as const;
    const numbers = [crc32(bytes), bytes.length, bytes.length] as const;
    const local = new DataView(new ArrayBuffer(LOCAL_BYTES));
    local.setUint32(0, LOCAL, true);
    local.setUint16(4, 20, true);
    facts.forEach((fact, at) => local.setUint16(6 + 2 * at, fact, true));
    numbers.forEach((number, at) => local.setUint32(14 + 4 * at, number, true));
    local.setUint16(26, written.length, true);
    const central = new DataView(new ArrayBuffer(CENTRAL_BYTES));
    central.setUint32(0, CENTRAL, true);
    central.setUint16(4, 20, true);
    central.setUint16(6, 20, true);
    facts.forEach((fact, at) => central.setUint16(8 + 2 * at, fact, true));
    numbers.forEach((number, at) => central.setUint32(16 + 4 * at, number, true));
    central.setUint16(28, written.length, true);
    central.setUint32(42, offset, true);
    parts.push(new Uint8Array(local.buffer), written, bytes);
    directory.push(new Uint8Array(central.buffer), written);
    offset += LOCAL_BYTES + written.length + bytes.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(END_BYTES));
  end.setUint32(0, END, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, length, true);
  end.setUint32(16, offset, true);
  return [...parts, ...directory, new Uint8Array(end.buffer)];
}

/**
 * Returns the files of a zip by their names; their bytes are parts of the zip's.
 *
 * @throws {@link ZipError} where it is no such zip, or is damaged; RangeError where a place lies beyond it.
 */
export function unzipped(zip: Uint8Array<ArrayBuffer>): Map<string, Uint8Array<ArrayBuffer>> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  // Without a comment the end is at a known place; other programs write none by default either.
  const end = zip.length - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== END) {
    throw new ZipError('it is not a zip file, or is cut off');
  }
  const count = view.getUint16(end + 10, true);
  if (count === MOST) {
    throw new ZipError('it has too many files');
  }
  const found = new Map<string, Uint8Array<ArrayBuffer>>();
  let at = view.getUint32(end + 16, true);
  for (let entry = 0; entry < count; entry++) {
    if (view.getUint32(at, true) !== CENTRAL) {
      throw new ZipError('its list of files is damaged');
    }
    const [flags, way] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    if (flags & 1 || way !== 0) {
      throw new ZipError('another program has compressed it; give the file as a page saved it');
    }
    const checksum = view.getUint32(at + 16, true);
    const length = view.getUint32(at + 20, true);
    const named = view.getUint16(at + 28, true);
    const more = view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    const local = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(part(zip, at + CENTRAL_BYTES, named));
    const start =
      local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const bytes = part(zip, start, length);
    if (found.has(name) || crc32(bytes) !== checksum) {
      throw new ZipError(`its file ${name} is damaged`);
    }
    found.set(name, bytes);
    at += CENTRAL_BYTES + named + more;
  }
  return found;
}

function part(
  zip: Uint8Array<ArrayBuffer>,
  start: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  if (start + length > zip.length) {
    throw new ZipError('it is cut off');
  }
  return zip.subarray(start, start + length);
}
