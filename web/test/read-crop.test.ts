import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { DrawingContext, readCrop as ReadCrop } from '../src/photo/read-crop';

type Alter = (value: number, place: number) => number;

/** A canvas of one row that remembers what colours were filled in, and alters what is read. */
function canvas(alter: Alter, width: number): DrawingContext {
  const data = new Uint8ClampedArray(width * 4);
  const context = {
    fillStyle: '',
    fillRect(x: number, _y: number, columns: number): void {
      const colour = /^rgb\((\d+) (\d+) (\d+)\)$/.exec(context.fillStyle)?.slice(1) ?? [
        255, 255, 255,
      ];
      for (let at = x; at < x + columns; at++) {
        data.set([...colour.map(Number), 255], at * 4);
      }
    },
    drawImage: () => undefined,
    getImageData: () => ({ width, height: 1, data: data.map(alter) }),
    imageSmoothingEnabled: false,
    imageSmoothingQuality: 'low',
  };
  return context as unknown as DrawingContext;
}

const crop = { x: 0, y: 0, width: 4, height: 1 };
let readCrop: typeof ReadCrop;
let read: (alter: Alter) => ImageData;
let canvases = 0;

beforeEach(async () => {
  // What it knows of the browser is of one visit.
  vi.resetModules();
  ({ readCrop } = await import('../src/photo/read-crop'));
  canvases = 0;
  read = (alter) =>
    readCrop({} as ImageBitmap, crop, (width) => {
      canvases++;
      return canvas(alter, width);
    });
});

describe('readCrop', () => {
  it.each<[string, Alter]>([
    ['as they are', (value) => value],
    ['with a noise of one level', (value, place) => value + ((place * 7) % 3) - 1],
  ])('takes pixels %s', (_what, alter) => {
    expect(read(alter).width).toBe(4);
  });

  it.each<[string, Alter]>([
    ['noise', (_value, place) => (place * 97 + 13) % 256],
    ['white', () => 255],
    ['nothing', () => 0],
    ['a few wrong values', (value, place) => (place % 16 === 5 ? value + 9 : value)],
    ['transparent pixels', (value, place) => (place % 4 === 3 ? 200 : value)],
  ])('refuses %s', (_what, alter) => {
    expect(() => read(alter)).toThrow(expect.objectContaining({ name: 'AlteredPixelsError' }));
  });

  it('tries once where pixels are true, and again where they were not', () => {
    expect(() => read(() => 255)).toThrow();
    read((value) => value);
    const tried = canvases;
    read((value) => value);
    expect(canvases).toBe(tried + 1);
  });
});
