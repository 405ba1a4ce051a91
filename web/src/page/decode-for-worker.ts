/** Decodes and crops a photo for a worker that cannot: Safari before 16.4. */

import type { InputSpec } from '../contract';
import type { Photo } from '../messages';
import { centralCrop } from '../photo/crop';
import { readCrop } from '../photo/read-crop';

/** Returns the photo's crop as pixels; rejects for a file that is no picture. */
export async function decodeForWorker(file: Blob, input: InputSpec): Promise<Photo> {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const { naturalWidth: width, naturalHeight: height } = image;
    const view = { width, height, crop: centralCrop(width, height, input) };
    const pixels = readCrop(image, view.crop, (canvasWidth, canvasHeight) => {
      const canvas = document.createElement('canvas');
      canvas.width = canvasWidth;
      canvas.height = canvasHeight;
      return canvas.getContext('2d', { willReadFrequently: true });
    });
    return { kind: 'pixels', pixels, view };
  } finally {
    URL.revokeObjectURL(url);
  }
}
