import { describe, expect, it } from 'vitest';

import { changeBy } from '../src/page/teach/hand-over';
import { fitHalves, floatsOf, halvesOf } from '../src/page/teach/half';
import { Lessons, type TaughtPhoto } from '../src/page/teach/lessons';
import { readTaughtFile, taughtFile, TaughtFileError } from '../src/page/teach/taught-file';
import { crc32, unzipped, zipped } from '../src/page/teach/zip';

const MODEL = { name: 'tiny', sha256: 'ab'.repeat(32), width: 3 };
const TAGS = [
  { id: 7, name: 'Rose' },
  { id: 9, name: 'tulip' },
];
const HEAD = {
  weights: Float32Array.of(1, 2, 3, 4, 5, 6),
  biases: Float32Array.of(0.5, -0.5),
  rule: { threshold: 0.5, coordinates: Uint16Array.of(0, 2), centres: Int8Array.of(1, 2, 3, -4) },
};

function photo(id: number, tag: number, features: number[]): TaughtPhoto {
  const file = id === 2 ? new Blob(['a picture']) : null;
  const given = { name: `${id}.PNG`, thumbnail: null, photo: file };
  return { id, tag, ...given, features: Float32Array.from(features) };
}

const PHOTOS = [photo(1, 9, [0, 1, 2]), photo(2, 7, [3, 0.5, -1]), photo(3, 8, [1, 1, 1])];

async function whole(photos = PHOTOS, withPhotos = true): Promise<Uint8Array<ArrayBuffer>> {
  const file = await taughtFile(MODEL, TAGS, photos, HEAD, withPhotos);
  return new Uint8Array(await file.arrayBuffer());
}

describe('halves', () => {
  it('are those of IEEE 754', () => {
    const known: [number, number][] = [
      [0, 0],
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [1 / 3, 0x3555],
      [2 ** -24, 1],
      [2 ** -14, 0x0400],
      [0.1, 0x2e66],
      [2047.5, 0x67ff + 1],
      [2049, 0x6800],
    ];
    for (const [number, half] of known) {
      expect(halvesOf(Float32Array.of(number))[0]?.toString(16)).toBe(half.toString(16));
    }
    const all = Uint16Array.from({ length: 0x7c00 }, (_, half) => half);
    expect(halvesOf(floatsOf(all))).toEqual(all);
    expect(floatsOf(Uint16Array.of(0x7e00))[0]).toBeNaN();
    expect(fitHalves(Float32Array.of(65504))).toBe(true);
    expect(fitHalves(Float32Array.of(65536))).toBe(false);
  });
});

describe('a zip', () => {
  it('gives its files back', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    const entries = [
      { name: 'ä.txt', bytes: new Uint8Array([1, 2, 3]) },
      { name: 'b', bytes: new Uint8Array() },
    ];
    const zip = new Uint8Array(zipped(entries).flatMap((part) => [...part]));
    expect([...unzipped(zip)]).toEqual(entries.map(({ name, bytes }) => [name, bytes]));
  });
});

describe('a taught file', () => {
  it('gives tags and photos back', async () => {
    const found = await readTaughtFile(new Blob([await whole()]), MODEL);
    expect(found.tags).toEqual(['Rose', 'tulip']);
    expect(found.photos.map(({ tag, name }) => [tag, name])).toEqual([
      [1, '1.PNG'],
      [0, '2.PNG'],
    ]);
    expect(found.photos[1]?.features).toEqual(PHOTOS[1]?.features);
    expect(await found.photos[1]?.photo?.text()).toBe('a picture');
    expect(found.photos[0]?.photo).toBeNull();
    const bare = await readTaughtFile(new Blob([await whole(PHOTOS, false)]), MODEL);
    expect(bare.photos.map((each) => each.photo)).toEqual([null, null]);
  });

  it('keeps features that are too large for halves', async () => {
    const large = [photo(1, 7, [1e6, 0.1, 0])];
    const found = await readTaughtFile(new Blob([await whole(large)]), MODEL);
    expect(found.photos[0]?.features).toEqual(large[0]?.features);
  });

  it('of another model is refused, with its name', async () => {
    const other = readTaughtFile(new Blob([await whole()]), { ...MODEL, sha256: 'cd'.repeat(32) });
    await expect(other).rejects.toMatchObject({ other: 'tiny' });
    const wide = readTaughtFile(new Blob([await whole()]), { ...MODEL, width: 4 });
    await expect(wide).rejects.toThrow('tags.json is damaged');
  });

  it('that is cut off or changed anywhere is refused or harmless', async () => {
    const right = await whole();
    const read = (bytes: Uint8Array<ArrayBuffer>): Promise<unknown> =>
      readTaughtFile(new Blob([bytes]), MODEL).catch((error: unknown) => error);
    let refused = 0;
    for (let at = 0; at < right.length; at++) {
      const changed = right.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x41;
      for (const bytes of [right.slice(0, at), changed]) {
        const found = await read(bytes);
        if (found instanceof Error) {
          expect(found).toBeInstanceOf(TaughtFileError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(right.length);
  });

  it.each([
    ['[]', 'holds no taught tags'],
    ['null', 'holds no taught tags'],
    ['{"format":"toolchain taught tags","version":2}', 'version 2'],
    ['{"format":"toolchain taught tags","version":1}', 'another model, ?'],
    ['{', 'has no tags.json'],
  ])('with the list %s is refused', async (text, why) => {
    const bytes = new TextEncoder().encode(text);
    const zip = new Blob(zipped([{ name: 'tags.json', bytes }]));
    await expect(readTaughtFile(zip, MODEL)).rejects.toThrow(why);
  });

  it('adds photos to tags of the same name', async () => {
    const lessons = new Lessons();
    lessons.make({ putTags: [{ id: 3, name: 'rose' }] });
    const file = await readTaughtFile(new Blob([await whole()]), MODEL);
    const change = changeBy(file, lessons);
    lessons.make(change);
    expect(lessons.tags.map(({ name }) => name)).toEqual(['rose', 'tulip']);
    expect(lessons.of(3).map(({ name }) => name)).toEqual(['2.PNG']);
    lessons.undo();
    expect(lessons.photos).toEqual([]);
  });
});
