/** From a photo to the model's input. */

import type { InputSpec } from '../contract';
import type { Photo } from '../messages';
import { type Box, cropAt, type PhotoView } from '../photo/crop';
import { assertTrue, cropRows, type PixelRows } from '../photo/read-crop';
import { ofFrameRows } from './frame-rows';
import { resize } from './resize';

/** The file is no picture that this browser reads. */
export class NotAPictureError extends Error {
  override readonly name = 'NotAPictureError';
}

/** Says whether this worker can decode a photo itself; Safari learnt it with 16.4. */
export function canDecode(photo: Photo): boolean {
  if (photo.kind === 'pixels') {
    return true;
  }
  return typeof OffscreenCanvas !== 'undefined' && typeof createImageBitmap !== 'undefined';
}

/** What every JPEG begins with: the marker SOI and that of the next segment (ITU-T T.81). */
const JPEG = [0xff, 0xd8, 0xff];

let drawing: OffscreenCanvasRenderingContext2D | null = null;

/** Returns a context of that size, the last one if it fits: a camera's frames all do. */
function context(width: number, height: number): OffscreenCanvasRenderingContext2D | null {
  const { canvas } = drawing ?? {};
  if (canvas?.width !== width || canvas.height !== height) {
    drawing = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  }
  return drawing;
}

function sizeOf(picture: ImageBitmap | VideoFrame | ImageData): { width: number; height: number } {
  return isVideo(picture)
    ? { width: picture.displayWidth, height: picture.displayHeight }
    : { width: picture.width, height: picture.height };
}

function isVideo(picture: ImageBitmap | VideoFrame | ImageData): picture is VideoFrame {
  return 'displayWidth' in picture;
}

function rowsOf({ data, width, height }: ImageData): PixelRows {
  const stride = width * 4;
  return { width, height, stride, from: (row) => data.subarray(row * stride) };
}

/** Returns the model's input for a crop; a video's frames hide nothing and are not drawn. */
async function inputOf(
  picture: ImageBitmap | VideoFrame,
  crop: Box,
  input: InputSpec,
): Promise<Float32Array> {
  const scaled = (rows: PixelRows): Float32Array => modelInput(rows, input);
  if (!isVideo(picture)) {
    return scaled(cropRows(picture, crop, context));
  }
  // A visitor whose browser alters the pixels of a canvas wants no page to read any.
  assertTrue(context);
  return (
    (await ofFrameRows(picture, crop, scaled)) ?? scaled(cropRows(picture, crop, context, true))
  );
}

async function decoded(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, {
      imageOrientation: 'from-image',
      colorSpaceConversion: 'default',
      // Over white the colours of what is half transparent would be off by a rounding. A JPEG
      // hides nothing, and Chromium takes half as long again for this.
      premultiplyAlpha: (await isJpeg(file)) ? 'default' : 'none',
    });
  } catch (error) {
    throw new NotAPictureError('not a picture', { cause: error });
  }
}

/** Says whether a file is a JPEG, by what it begins with; its name may say anything. */
async function isJpeg(file: Blob): Promise<boolean> {
  const begin = new Uint8Array(await file.slice(0, JPEG.length).arrayBuffer());
  return JPEG.every((value, place) => begin[place] === value);
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
 * Makes a photo ready for the model: decodes it, unless the page already has, crops and scales it.
 *
 * @throws {@link NotAPictureError} if it cannot be decoded.
 */
export async function preparedPhoto(photo: Photo, input: InputSpec): Promise<PreparedPhoto> {
  const begin = performance.now();
  if (photo.kind === 'pixels') {
    const { pixels, view } = photo;
    const values = modelInput(rowsOf(pixels), input);
    return { input: values, view, thumbnail: null, preprocessMs: performance.now() - begin };
  }
  const isFrame = photo.kind === 'frame';
  const picture = isFrame ? photo.frame : await decoded(photo.file);
  try {
    const { width, height } = sizeOf(picture);
    const place = isFrame ? undefined : photo.place;
    const view = { width, height, crop: cropAt(width, height, input, place) };
    const values = await inputOf(picture, view.crop, input);
    const preprocessMs = performance.now() - begin;
    const side = isFrame ? undefined : photo.thumbnailSide;
    const small = side ? await thumbnail(picture, view, side) : null;
    return { input: values, view, thumbnail: small, preprocessMs };
  } finally {
    picture.close();
  }
}

/** Returns a crop's pixels at the model's size, in the values and the order it wants, HWC. */
export function modelInput(pixels: PixelRows, input: InputSpec): Float32Array {
  const [low, high] = input.value_range;
  const { mean, std, channels } = input;
  const scales = [0, 1, 2].map((colour) => {
    const deviation = std[colour] ?? 1;
    return {
      place: channels === 'bgr' ? 2 - colour : colour,
      factor: (high - low) / 255 / deviation,
      offset: (low - (mean[colour] ?? 0)) / deviation,
    };
  });
  return resize(pixels, input.width, input.height, scales);
}
