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

/**
 * Returns the crop's pixels over white, each as the file has it; only a crop that
 * `readingSize` shrinks is scaled by the browser.
 *
 * @param context - Makes a context of that size, `willReadFrequently` to keep it off the
 *   graphics processor, or returns null where there is none.
 */
export function readCrop<Source extends CanvasImageSource>(
  photo: Source,
  crop: Box,
  context: (width: number, height: number) => DrawingContext | null,
): ImageData {
  const { width, height } = readingSize(crop);
  const drawing = context(width, height);
  if (!drawing) {
    throw new Error('this browser gives no 2D canvas');
  }
  drawing.fillStyle = '#fff';
  drawing.fillRect(0, 0, width, height);
  drawing.imageSmoothingEnabled = width !== crop.width || height !== crop.height;
  drawing.imageSmoothingQuality = 'high';
  drawing.drawImage(photo, crop.x, crop.y, crop.width, crop.height, 0, 0, width, height);
  return drawing.getImageData(0, 0, width, height);
}
