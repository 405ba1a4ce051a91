/** Makes what the worker takes out of what pages have. */

import type { Photo, TagChoice } from '../messages';
import { TaggerError } from './tagger-error';
import type { Crop, TaggerPhoto } from './tagger';

/**
 * Returns a copy of a picture as the worker takes it.
 *
 * @throws {@link TaggerError} where there is no picture, or the page may not read it.
 * @throws RangeError where the crop does not lie in it.
 */
export async function photoOf(
  given: TaggerPhoto,
  crop: Crop | undefined,
  choice: TagChoice,
): Promise<Photo> {
  if (given instanceof Blob && !crop) {
    return { kind: 'file', file: given, choice };
  }
  const whole = await bitmapOf(given);
  const frame = crop ? await cropped(whole, crop) : whole;
  if (!isReadable(frame)) {
    frame.close();
    throw new TaggerError(
      'photo',
      'The picture is of another site, and the browser does not let this page read it; load it with the attribute crossorigin from a host that allows that, or give its file.',
    );
  }
  if (typeof OffscreenCanvas !== 'undefined') {
    return { kind: 'frame', frame, choice };
  }
  // Such a worker cannot draw. It sends a file back, to be drawn here.
  return { kind: 'file', file: await fileOf(frame), choice };
}

async function bitmapOf(given: TaggerPhoto): Promise<ImageBitmap> {
  try {
    if (given instanceof HTMLImageElement) {
      await given.decode();
    }
    return await createImageBitmap(given, {
      imageOrientation: 'from-image',
      premultiplyAlpha: 'none',
    });
  } catch (error) {
    throw new TaggerError('photo', `There is no picture to tag: ${whyNot(given)}.`, {
      cause: error,
    });
  }
}

function whyNot(given: TaggerPhoto): string {
  if (given instanceof HTMLVideoElement) {
    return 'the video has not begun; wait for its event loadeddata';
  }
  if (given instanceof Blob) {
    return 'this browser cannot read the file; give a JPEG, PNG or WebP';
  }
  return 'it is empty or could not be loaded; give a JPEG, PNG or WebP, or a canvas with content';
}

async function cropped(whole: ImageBitmap, { x, y, width, height }: Crop): Promise<ImageBitmap> {
  try {
    const isInside = x >= 0 && y >= 0 && width >= 1 && height >= 1 && x + width <= whole.width;
    if (!isInside || !(y + height <= whole.height)) {
      throw new RangeError(
        `The crop ${width} × ${height} at ${x}, ${y} does not lie in the photo of ${whole.width} × ${whole.height} pixels.`,
      );
    }
    return await createImageBitmap(whole, x, y, width, height, { premultiplyAlpha: 'none' });
  } finally {
    whole.close();
  }
}

/** Says whether a picture may go to the worker; asked for here, because a refusal there is an error. */
function isReadable(frame: ImageBitmap): boolean {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  try {
    context?.drawImage(frame, 0, 0, 1, 1);
    context?.getImageData(0, 0, 1, 1);
    return true;
  } catch {
    return false;
  }
}

async function fileOf(frame: ImageBitmap): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = frame.width;
  canvas.height = frame.height;
  canvas.getContext('2d')?.drawImage(frame, 0, 0);
  frame.close();
  const file = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!file) {
    throw new TaggerError(
      'photo',
      'The picture is too large for this browser; give a smaller one.',
    );
  }
  return file;
}
