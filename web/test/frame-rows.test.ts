import { describe, expect, it, vi } from 'vitest';

import { ofFrameRows } from '../src/worker/frame-rows';

const crop = { x: 1, y: 1, width: 2, height: 2 };

/** A frame of 4 × 3 whose red is 10 for each column, and green 10 for each row. */
function frame(change: object = {}): VideoFrame {
  return {
    format: 'I420',
    displayWidth: 4,
    displayHeight: 3,
    visibleRect: { width: 4, height: 3 },
    allocationSize: () => 4 * 3 * 4,
    copyTo: (into: Uint8Array): Promise<unknown> => {
      for (let place = 0; place < 12; place++) {
        into.set([(place % 4) * 10, Math.floor(place / 4) * 10, 0, 255], place * 4);
      }
      return Promise.resolve([{ offset: 0, stride: 16 }]);
    },
    ...change,
  } as unknown as VideoFrame;
}

describe('ofFrameRows', () => {
  it('gives the rows of a box', async () => {
    const [shape, ...rows] =
      (await ofFrameRows(frame(), crop, (rows) => [
        [rows.width, rows.height, rows.stride],
        [...rows.from(0).subarray(0, 8)],
        [...rows.from(1).subarray(0, 8)],
      ])) ?? [];
    expect(shape).toEqual([2, 2, 16]);
    expect(rows).toEqual([
      [10, 10, 0, 255, 20, 10, 0, 255],
      [10, 20, 0, 255, 20, 20, 0, 255],
    ]);
  });

  it('keeps frames apart that are read at the same time, and uses memory again', async () => {
    const buffers: ArrayBufferLike[] = [];
    const read = (): Promise<unknown> =>
      ofFrameRows(frame(), crop, (rows) => buffers.push(rows.from(0).buffer));
    await Promise.all([read(), read()]);
    await read();
    expect(buffers[0]).not.toBe(buffers[1]);
    expect(buffers[2]).toBe(buffers[1]);
  });

  it.each([
    ['is of colours already, whose order an older browser would leave', { format: 'BGRX' }],
    ['has no format', { format: null }],
    ['lies on its side', { rotation: 90 }],
    ['is mirrored', { flip: true }],
    ['has pixels that are not square', { displayWidth: 5 }],
    ['is not converted, because the browser ignores the format', { allocationSize: () => 18 }],
    ['comes in several planes', { copyTo: () => Promise.resolve([{}, {}, {}]) }],
    ['cannot be copied', { copyTo: vi.fn().mockRejectedValue(new DOMException('no')) }],
  ])('gives none where a frame %s', async (_what, change) => {
    expect(await ofFrameRows(frame(change), crop, () => 'read')).toBeNull();
  });
});
