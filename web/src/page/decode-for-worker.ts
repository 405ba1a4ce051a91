/** Decodes and crops a photo for a worker that cannot: Safari before 16.4, or with altered pixels. */

import type { InputSpec } from '../contract';
import type { Photo, Refusal } from '../messages';
import { cropAt, type CropPlace } from '../photo/crop';
import { AlteredPixelsError, readCrop } from '../photo/read-crop';

/** Returns the photo's crop as pixels, or why there are none. */
export async function decodeForWorker(
  file: Blob,
  input: InputSpec,
  place?: CropPlace,
): Promise<Photo | Refusal> {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const { naturalWidth: width, naturalHeight: height } = image;
    const view = { width, height, crop: cropAt(width, height, input, place) };
    const pixels = readCrop(image, view.crop, (canvasWidth, canvasHeight) => {
      const canvas = document.createElement('canvas');
      canvas.width = canvasWidth;
      canvas.height = canvasHeight;
      return canvas.getContext('2d', { willReadFrequently: true });
    });
    return { kind: 'pixels', pixels, view };
  } catch (error) {
    return error instanceof AlteredPixelsError ? 'altered-pixels' : 'not-a-picture';
  } finally {
    URL.revokeObjectURL(url);
  }
}
