/** From a photo to the model's input. */

import type { InputSpec } from '../contract';
import type { Photo } from '../messages';
import { cropAt, type PhotoView } from '../photo/crop';
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
  /** Where one was asked for. */
  readonly thumbnail?: ImageBitmap;
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
  const bitmap = photo.kind === 'frame' ? photo.frame : await decoded(photo.file);
  try {
    const { width, height } = sizeOf(bitmap);
    const place = photo.kind === 'file' ? photo.place : undefined;
    const view = { width, height, crop: cropAt(width, height, input, place) };
    const pixels = readCrop(bitmap, view.crop, (canvasWidth, canvasHeight) =>
      new OffscreenCanvas(canvasWidth, canvasHeight).getContext('2d', { willReadFrequently: true }),
    );
    const side = photo.kind === 'file' ? photo.thumbnailSide : undefined;
    return side
      ? { pixels, view, thumbnail: await thumbnail(bitmap, view, side) }
      : { pixels, view };
  } finally {
    bitmap.close();
  }
}

function sizeOf(picture: ImageBitmap | VideoFrame): { width: number; height: number } {
  return 'displayWidth' in picture
    ? { width: picture.displayWidth, height: picture.displayHeight }
    : picture;
}

async function decoded(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, {
      imageOrientation: 'from-image',
      colorSpaceConversion: 'default',
      premultiplyAlpha: 'none',
    });
  } catch (error) {
    throw new NotAPictureError('not a picture', { cause: error });
  }
}

/** Made here, of what is decoded already: a photo of 50 megapixels takes 200 MB for that. */
function thumbnail(
  photo: ImageBitmapSource,
  { width, height }: PhotoView,
  longerSide: number,
): Promise<ImageBitmap> {
  const scale = Math.min(1, longerSide / Math.max(width, height));
  return createImageBitmap(photo, {
    resizeWidth: Math.max(1, Math.round(width * scale)),
    resizeHeight: Math.max(1, Math.round(height * scale)),
    resizeQuality: 'medium',
  });
}

/** A photo that is ready for the model. */
export interface PreparedPhoto {
  readonly input: Float32Array;
  readonly view: PhotoView;
  readonly thumbnail: ImageBitmap | null;
  readonly preprocessMs: number;
}

/**
 * Makes a photo ready for the model.
 *
 * @throws {@link NotAPictureError} if it cannot be decoded.
 */
export async function preparedPhoto(photo: Photo, input: InputSpec): Promise<PreparedPhoto> {
  const begin = performance.now();
  const { pixels, view, thumbnail = null } = await croppedPhoto(photo, input);
  const values = modelInput(pixels, input);
  return { input: values, view, thumbnail, preprocessMs: performance.now() - begin };
}

/** Returns a crop's pixels at the model's size, in the values and the order it wants, HWC. */
export function modelInput(pixels: RgbaPixels, input: InputSpec): Float32Array {
  const [low, high] = input.value_range;
  const { mean, std, channels } = input;
  const values = resize(pixels, input.width, input.height);
  for (let place = 0; place < values.length; place++) {
    const colour = place % 3;
    const value = low + ((values[place] ?? 0) * (high - low)) / 255;
    values[place] = (value - (mean[colour] ?? 0)) / (std[colour] ?? 1);
  }
  if (channels === 'bgr') {
    for (let red = 0; red < values.length; red += 3) {
      [values[red], values[red + 2]] = [values[red + 2] ?? 0, values[red] ?? 0];
    }
  }
  return values;
}
