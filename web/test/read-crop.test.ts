import { beforeEach, describe, expect, it, vi } from 'vitest';

import type {
  cropRows as CropRows,
  DrawingContext,
  readCrop as ReadCrop,
} from '../src/photo/read-crop';

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
let cropRows: typeof CropRows;
let read: (alter: Alter) => ImageData;
let canvases = 0;

beforeEach(async () => {
  // What it knows of the browser is of one visit.
  vi.resetModules();
  ({ cropRows, readCrop } = await import('../src/photo/read-crop'));
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

describe('cropRows', () => {
  /** A canvas that says which boxes of the photo are drawn on it. */
  function rowsOf(width: number, height: number, isWhole?: boolean) {
    const drawn: number[][] = [];
    const sizes: number[][] = [];
    const rows = cropRows(
      {} as ImageBitmap,
      { x: 7, y: 5, width, height },
      (canvasWidth, canvasHeight) => {
        sizes.push([canvasWidth, canvasHeight]);
        return {
          ...canvas((value) => value, canvasWidth),
          fillRect: () => undefined,
          drawImage: (_photo: unknown, ...box: number[]) => drawn.push(box),
          getImageData: (_x: number, _y: number, columns: number, count: number) => ({
            data: new Uint8ClampedArray(columns * count * 4),
          }),
        } as unknown as DrawingContext;
      },
      isWhole,
    );
    return { rows, drawn, sizes };
  }

  beforeEach(() => {
    read((value) => value);
  });

  it('reads what is large in parts of a megabyte, each at its own place', () => {
    const { rows, drawn, sizes } = rowsOf(2048, 300);
    expect(sizes).toEqual([[2048, 128]]);
    expect([0, 128, 256].map((row) => rows.from(row).length / 2048 / 4)).toEqual([128, 128, 44]);
    expect(drawn).toEqual([
      [7, 5, 2048, 128, 0, 0, 2048, 128],
      [7, 133, 2048, 128, 0, 0, 2048, 128],
      [7, 261, 2048, 44, 0, 0, 2048, 44],
    ]);
  });

  it('reads all at once what is small or is a video', () => {
    expect(rowsOf(420, 420).rows.from(0)).toHaveLength(420 * 420 * 4);
    expect(rowsOf(2048, 300, true).rows.from(0)).toHaveLength(2048 * 300 * 4);
  });
});
