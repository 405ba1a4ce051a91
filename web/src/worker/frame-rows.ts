/**
 * Reads a video's frames without drawing them.
 *
 * Chromium keeps the colours of each frame that is drawn, whether it is closed or not: some
 * 1.2 MB each at 640 × 480, up to 600 MB.
 */

import type { Box } from '../photo/crop';
import type { PixelRows } from '../photo/read-crop';

/** What browsers of 2024 and later know of frames, and the types of TypeScript do not. */
interface RecentFrame {
  readonly rotation?: number;
  readonly flip?: boolean;
  allocationSize(options: { format: string }): number;
  copyTo(destination: Uint8Array, options: { format: string }): Promise<PlaneLayout[]>;
}

/** Held the last frame, and is used for the next; one that is being read has none or another. */
let spare = new Uint8ClampedArray();

/**
 * Returns what is made of the pixels of a box of a frame; null where this browser does not convert
 * frames to colours, or this frame would have to be turned or scaled.
 *
 * @param use - Gets pixels that are valid until it returns.
 */
export async function ofFrameRows<Result>(
  frame: VideoFrame,
  crop: Box,
  use: (rows: PixelRows) => Result,
): Promise<Result | null> {
  const { displayWidth: width, displayHeight: height, visibleRect } = frame;
  const recent = frame as unknown as RecentFrame;
  const isUpright = !recent.rotation && !recent.flip;
  // Of colours a browser that ignores the format would give blue before red.
  const isToConvert = /^(I4|NV)/.test(frame.format ?? '');
  if (!isUpright || !isToConvert || visibleRect?.width !== width || visibleRect.height !== height) {
    return null;
  }
  const stride = width * 4;
  const options = { format: 'RGBX' };
  let pixels = spare;
  spare = new Uint8ClampedArray();
  try {
    if (recent.allocationSize(options) !== stride * height) {
      return null;
    }
    if (pixels.length !== stride * height) {
      pixels = new Uint8ClampedArray(stride * height);
    }
    const layout = await recent.copyTo(new Uint8Array(pixels.buffer), options);
    if (layout.length !== 1 || layout[0]?.stride !== stride) {
      return null;
    }
  } catch {
    return null;
  }
  const result = use({
    width: crop.width,
    height: crop.height,
    stride,
    from: (row) => pixels.subarray((crop.y + row) * stride + crop.x * 4),
  });
  spare = pixels;
  return result;
}
