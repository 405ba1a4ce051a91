/** Small pictures of photos, as files. */

/** The longer side in pixels. */
export const SIDE = 160;
const QUALITY = 0.8;

/** Returns a small picture as a file, and uses it up. */
export function fileOf(picture: ImageBitmap, side = SIDE): Promise<Blob | null> {
  const canvas = document.createElement('canvas');
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
}
