/** Which part of a photo the model sees. Python mirrors this arithmetic exactly. */

import type { InputSpec } from '../contract';

/** A box in whole pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A photo's size after its EXIF orientation, and the box of it that the model sees. */
export interface PhotoView {
  readonly width: number;
  readonly height: number;
  readonly crop: Box;
}

/**
 * Where the page has to hand all pixels of a crop to a worker that cannot read them itself, crops
 * larger than this on their longer side are drawn down to it first, so that the pixels of a photo
 * of 50 megapixels never lie in memory one by one.
 */
export const LONGEST_EXACT_SIDE = 2048;

/**
 * Returns the centred crop: the largest box of the input's aspect inside the photo, times
 * the crop fraction. Halves round up, and no side falls below one pixel.
 */
export function centralCrop(
  width: number,
  height: number,
  input: Pick<InputSpec, 'crop_fraction' | 'height' | 'width'>,
): Box {
  // One side of the box is the photo's own. Multiplying before dividing keeps the other
  // one exact for a square input, where a rounding error could tip a half.
  const narrow = width * input.height <= height * input.width;
  const boxWidth = narrow ? width : (height * input.width) / input.height;
  const boxHeight = narrow ? (width * input.height) / input.width : height;
  const cropWidth = rounded(boxWidth * input.crop_fraction);
  const cropHeight = rounded(boxHeight * input.crop_fraction);
  return {
    x: Math.floor((width - cropWidth) / 2),
    y: Math.floor((height - cropHeight) / 2),
    width: cropWidth,
    height: cropHeight,
  };
}

/** Where a crop lies in the room that it has, from 0, left or top, to 1 on both axes. */
export interface CropPlace {
  readonly x: number;
  readonly y: number;
}

/** Returns the crop at a place of the visitor's; without one, the centred crop. */
export function cropAt(
  width: number,
  height: number,
  input: Pick<InputSpec, 'crop_fraction' | 'height' | 'width'>,
  place: CropPlace | undefined,
): Box {
  const crop = centralCrop(width, height, input);
  return place
    ? {
        ...crop,
        x: Math.round((width - crop.width) * place.x),
        y: Math.round((height - crop.height) * place.y),
      }
    : crop;
}

/** Returns the size at which a crop's pixels are read: its own unless it is too large. */
export function readingSize(crop: Box): { readonly width: number; readonly height: number } {
  const longer = Math.max(crop.width, crop.height);
  if (longer <= LONGEST_EXACT_SIDE) {
    return crop;
  }
  return {
    width: rounded((crop.width * LONGEST_EXACT_SIDE) / longer),
    height: rounded((crop.height * LONGEST_EXACT_SIDE) / longer),
  };
}

function rounded(length: number): number {
  return Math.max(1, Math.floor(length + 0.5));
}
