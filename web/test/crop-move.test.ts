import { describe, expect, it } from 'vitest';

import { moveCrop, placeOf, shifted } from '../src/page/crop-move';
import { centralCrop, type CropPlace, cropAt } from '../src/photo/crop';

const INPUT = { crop_fraction: 0.5, height: 100, width: 100 };
const view = { width: 401, height: 200, crop: { x: 150, y: 50, width: 100, height: 100 } };

describe('a crop', () => {
  it('lies in the middle unless it was moved', () => {
    expect(cropAt(401, 200, INPUT, undefined)).toEqual(centralCrop(401, 200, INPUT));
    expect(cropAt(401, 200, INPUT, undefined)).toEqual(view.crop);
    expect(cropAt(401, 200, INPUT, { x: 0, y: 1 })).toEqual({ ...view.crop, x: 0, y: 100 });
    expect(cropAt(401, 200, INPUT, { x: 1, y: 0 })).toEqual({ ...view.crop, x: 301, y: 0 });
  });

  it('stays in the photo', () => {
    expect(shifted(view, -1000, 20)).toEqual({ ...view.crop, x: 0, y: 70 });
    expect(shifted(view, 1000, -60)).toEqual({ ...view.crop, x: 301, y: 0 });
  });

  it('is found again where it was left', () => {
    const crop = { ...view.crop, x: 7, y: 93 };
    expect(cropAt(401, 200, INPUT, placeOf({ ...view, crop }))).toEqual(crop);
    expect(placeOf({ width: 5, height: 5, crop: { x: 0, y: 0, width: 5, height: 5 } })).toEqual({
      x: 0.5,
      y: 0.5,
    });
  });

  it('is moved by an arrow key', () => {
    const shown: unknown[] = [];
    const moved: CropPlace[] = [];
    moveCrop(
      { key: 'ArrowDown' } as KeyboardEvent,
      {} as HTMLElement,
      view,
      (crop) => shown.push(crop),
      (place) => moved.push(place),
    );
    expect(shown).toEqual([{ ...view.crop, y: 60 }]);
    expect(moved).toEqual([{ x: 150 / 301, y: 0.6 }]);
  });
});
