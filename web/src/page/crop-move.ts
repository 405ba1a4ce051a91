/** Moves the crop over the photo; loaded when a visitor first does so. */

import type { Box, CropPlace, PhotoView } from '../photo/crop';

/** What an arrow key moves the crop by: a share of the photo's side. */
const STEP = 0.05;
/** How long a pointer rests, in milliseconds, before the tags follow it. Chosen, not measured. */
const REST_MS = 60;

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Returns a view's crop, moved by that many of the photo's pixels as far as there is room. */
export function shifted({ width, height, crop }: PhotoView, byX: number, byY: number): Box {
  const within = (at: number, room: number): number => Math.min(Math.max(at, 0), room);
  return {
    ...crop,
    x: within(crop.x + byX, width - crop.width),
    y: within(crop.y + byY, height - crop.height),
  };
}

/** Returns where in its room a crop lies; in the middle of none. */
export function placeOf({ width, height, crop }: PhotoView): CropPlace {
  const share = (at: number, room: number): number => (room > 0 ? at / room : 0.5);
  return { x: share(crop.x, width - crop.width), y: share(crop.y, height - crop.height) };
}

/**
 * Moves the crop by a key, or until the pointer is up.
 *
 * @param event - Which was pressed.
 * @param element - Shows the crop.
 * @param view - The photo and its crop before.
 * @param show - Shows the crop elsewhere.
 * @param moved - Called with each place where it rests.
 */
export function moveCrop(
  event: PointerEvent | KeyboardEvent,
  element: HTMLElement,
  view: PhotoView,
  show: (crop: Box) => void,
  moved: (place: CropPlace) => void,
): void {
  if ('key' in event) {
    const [x, y] = ARROWS[event.key] ?? [0, 0];
    const crop = shifted(view, STEP * x * view.width, STEP * y * view.height);
    show(crop);
    moved(placeOf({ ...view, crop }));
    return;
  }
  const ending = new AbortController();
  const { signal } = ending;
  // Of the photo's pixels, on one of the screen.
  const scale = view.crop.width / element.getBoundingClientRect().width;
  let { crop } = view;
  let resting: ReturnType<typeof setTimeout> | undefined;
  let told = crop;
  const rest = (): void => {
    if (crop.x !== told.x || crop.y !== told.y) {
      told = crop;
      moved(placeOf({ ...view, crop }));
    }
  };
  const follow = ({ clientX, clientY }: PointerEvent): void => {
    crop = shifted(view, scale * (clientX - event.clientX), scale * (clientY - event.clientY));
    show(crop);
    clearTimeout(resting);
    resting = setTimeout(rest, REST_MS);
  };
  const end = (): void => {
    ending.abort();
    clearTimeout(resting);
    rest();
  };
  element.focus({ preventScroll: true });
  addEventListener('pointermove', follow, { signal });
  addEventListener('pointerup', end, { signal });
  // The finger scrolls after all.
  addEventListener(
    'pointercancel',
    () => {
      show(told);
      crop = told;
      end();
    },
    { signal },
  );
}
