/** From a photo to the model's input. */

import type { InputSpec } from '../contract';
import type { Photo } from '../messages';
import { centralCrop, type PhotoView } from '../photo/crop';
import { readCrop } from '../photo/read-crop';
import { resize, type RgbaPixels } from './resize';

/** The file is no picture that this browser reads. */
export class NotAPictureError extends Error {
  override readonly name = 'NotAPictureError';
}

/** The pixels that the model sees, and where in the photo they were. */
export interface CroppedPhoto {
  readonly pixels: RgbaPixels;
  readonly view: PhotoView;
}

/** Says whether this worker can decode a photo itself; Safari learnt it with 16.4. */
export function canDecode(photo: Photo): boolean {
  if (photo.kind === 'pixels') {
    return true;
  }
  return typeof OffscreenCanvas !== 'undefined' && typeof createImageBitmap !== 'undefined';
}

/**
 * Decodes and crops a photo, unless the page already has.
 *
 * @throws {@link NotAPictureError} if it cannot be decoded.
 */
export async function croppedPhoto(photo: Photo, input: InputSpec): Promise<CroppedPhoto> {
  if (photo.kind === 'pixels') {
    return photo;
  }
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(photo.file, {
      imageOrientation: 'from-image',
      colorSpaceConversion: 'default',
      premultiplyAlpha: 'none',
    });
  } catch (error) {
    throw new NotAPictureError('not a picture', { cause: error });
  }
  try {
    const { width, height } = bitmap;
    const view = { width, height, crop: centralCrop(width, height, input) };
    const pixels = readCrop(bitmap, view.crop, (canvasWidth, canvasHeight) =>
      new OffscreenCanvas(canvasWidth, canvasHeight).getContext('2d', { willReadFrequently: true }),
    );
    return { pixels, view };
  } finally {
    bitmap.close();
  }
}

/** A photo that is ready for the model. */
export interface PreparedPhoto {
  readonly input: Float32Array;
  readonly view: PhotoView;
  readonly preprocessMs: number;
}

/**
 * Makes a photo ready for the model.
 *
 * @throws {@link NotAPictureError} if it cannot be decoded.
 */
export async function preparedPhoto(photo: Photo, input: InputSpec): Promise<PreparedPhoto> {
  const begin = performance.now();
  const { pixels, view } = await croppedPhoto(photo, input);
  return { input: modelInput(pixels, input), view, preprocessMs: performance.now() - begin };
}

/** Returns a crop's pixels at the model's size and in its range of values, HWC in RGB. */
export function modelInput(pixels: RgbaPixels, input: InputSpec): Float32Array {
  const [low, high] = input.valueRange;
  return resize(pixels, input.width, input.height).map(
    (value) => low + (value * (high - low)) / 255,
  );
}
