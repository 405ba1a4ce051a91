/** Reads a crop's pixels from a decoded photo; runs wherever there is a canvas. */

import { type Box, readingSize } from './crop';

/** What both kinds of canvas can do that is needed here. */
export type DrawingContext = Pick<
  OffscreenCanvasRenderingContext2D,
  | 'drawImage'
  | 'fillRect'
  | 'fillStyle'
  | 'getImageData'
  | 'imageSmoothingEnabled'
  | 'imageSmoothingQuality'
>;

/** Makes a context of that size, or returns null where there is none. */
export type MakeContext = (width: number, height: number) => DrawingContext | null;

/** Rows of RGBA bytes, which need not lie in memory all at once. */
export interface PixelRows {
  readonly width: number;
  readonly height: number;
  /** How many bytes after a row's first one the next row begins. */
  readonly stride: number;
  /**
   * Returns bytes that begin with this row and hold all of it, and as many whole rows as there are
   * after it; they are valid until the next call.
   */
  from(row: number): Uint8ClampedArray;
}

/** The browser gives other pixels than those that were drawn. */
export class AlteredPixelsError extends Error {
  override readonly name = 'AlteredPixelsError';
}

/** So many colours are drawn: some browsers leave an area of one colour as it is. */
const PROBED_COLOURS = 16;

/**
 * What a value may be off by. Brave, and Firefox in private windows, change some values by one,
 * which moves no tag; where pixels are withheld they are noise.
 */
const MOST_NOISE = 2;

let isTrusted = false;

/**
 * Returns the crop's pixels over white, each as the file has it; only a crop that
 * `readingSize` shrinks is scaled by the browser.
 *
 * @param context - `willReadFrequently`, to keep it off the graphics processor.
 * @throws {@link AlteredPixelsError} where what is read is not what was drawn.
 */
export function readCrop<Source extends CanvasImageSource>(
  photo: Source,
  crop: Box,
  context: MakeContext,
): ImageData {
  const { width, height } = readingSize(crop);
  const drawing = made(context, width, height);
  assertTrue(context);
  drawOver(drawing, photo, crop, width, height);
  return drawing.getImageData(0, 0, width, height);
}

/** So many pixels lie in memory at once, if they can be read in parts: a megabyte. */
const PART_PIXELS = 2 ** 18;

/**
 * Returns the crop's pixels over white, each as the file has it, however large it is: they are
 * read in parts, when their turn comes.
 *
 * @param isWhole - Whether to read all at once; a video's frame is converted anew for each part.
 * @throws {@link AlteredPixelsError} where what is read is not what was drawn.
 */
export function cropRows<Source extends CanvasImageSource>(
  photo: Source,
  { x, y, width, height }: Box,
  context: MakeContext,
  isWhole = false,
): PixelRows {
  const most = isWhole ? height : Math.min(height, Math.max(1, Math.floor(PART_PIXELS / width)));
  const drawing = made(context, width, most);
  assertTrue(context);
  return {
    width,
    height,
    stride: width * 4,
    from: (first) => {
      const rows = Math.min(most, height - first);
      drawOver(drawing, photo, { x, y: y + first, width, height: rows }, width, rows);
      return drawing.getImageData(0, 0, width, rows).data;
    },
  };
}

/** Draws a box of a photo over white. */
function drawOver(
  drawing: DrawingContext,
  photo: CanvasImageSource,
  box: Box,
  width: number,
  height: number,
): void {
  drawing.fillStyle = '#fff';
  drawing.fillRect(0, 0, width, height);
  drawing.imageSmoothingEnabled = width !== box.width || height !== box.height;
  drawing.imageSmoothingQuality = 'high';
  drawing.drawImage(photo, box.x, box.y, box.width, box.height, 0, 0, width, height);
}

/**
 * Checks that this browser gives the pixels that are drawn.
 *
 * @throws {@link AlteredPixelsError} if not.
 */
export function assertTrue(context: MakeContext): void {
  // Only what is good is remembered: the visitor may allow at any time that pixels are read.
  isTrusted ||= readsWhatWasDrawn(context);
  if (!isTrusted) {
    throw new AlteredPixelsError('this browser alters the pixels of a canvas');
  }
}

function made(context: MakeContext, width: number, height: number): DrawingContext {
  const drawing = context(width, height);
  if (!drawing) {
    throw new Error('this browser gives no 2D canvas');
  }
  return drawing;
}

/** Draws pixels of known colours and reads them. */
function readsWhatWasDrawn(context: MakeContext): boolean {
  const drawing = made(context, PROBED_COLOURS, 1);
  const colours = Array.from({ length: PROBED_COLOURS }, (_, place) => [
    0x12 + place * 13,
    0x34 + ((place * 71) % 200),
    0x56 + ((place * 37) % 150),
    255,
  ]);
  colours.forEach(([red, green, blue], place) => {
    drawing.fillStyle = `rgb(${red} ${green} ${blue})`;
    drawing.fillRect(place, 0, 1, 1);
  });
  const { data } = drawing.getImageData(0, 0, PROBED_COLOURS, 1);
  return colours.flat().every((value, at) => Math.abs(value - (data[at] ?? -255)) <= MOST_NOISE);
}
