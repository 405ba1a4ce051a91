/** Shows the photo, and in it the part that the model sees. */

import type { CropPlace, PhotoView } from '../photo/crop';
import { element } from './elements';

/** The frame with the photo. */
export class PhotoFrame {
  readonly #frame: HTMLElement;
  readonly #image: HTMLImageElement;
  readonly #crop: HTMLElement;
  #url: string | undefined;
  #view: PhotoView | undefined;
  #video: HTMLVideoElement | undefined;

  constructor(frame: HTMLElement) {
    this.#frame = frame;
    this.#image = element('img', HTMLImageElement, frame);
    this.#crop = element('[data-crop]', HTMLElement, frame);
    this.#image.addEventListener('load', () => this.#fit());
    this.#image.addEventListener('error', () => this.clear());
    // The document's own photo may have loaded or failed before this listener existed.
    if (this.#image.complete && this.#image.src) {
      if (this.#image.naturalWidth > 0) {
        this.#fit();
      } else {
        this.clear();
      }
    }
  }

  /** Shows a photo, without the crop of the one before, which stays until this one is there. */
  show(file: Blob, alt: string): void {
    this.#crop.hidden = true;
    this.#release();
    this.#url = URL.createObjectURL(file);
    this.#image.src = this.#url;
    this.#image.alt = alt;
  }

  /** Shows the camera's picture, until another photo is there. */
  showVideo(video: HTMLVideoElement): void {
    this.clear();
    this.#video = video;
    this.#image.after(video);
    this.#frame.dataset['photo'] = 'live';
    // It changes when a phone is turned.
    const shape = (): void => this.#shape(video.videoWidth, video.videoHeight);
    video.addEventListener('resize', shape);
    shape();
  }

  /**
   * Lets visitors move the crop, by a pointer or the arrow keys.
   *
   * @param moved - Called with a place that the crop has come to rest at.
   */
  letMove(moved: (place: CropPlace) => void): void {
    const move = (event: PointerEvent | KeyboardEvent): void => {
      const view = this.#view;
      if (view && this.#crop.tabIndex === 0) {
        // Later the browser would have scrolled, or begun to select.
        if (!('key' in event) || event.key.startsWith('Arrow')) {
          event.preventDefault();
          void import('./crop-move').then(
            ({ moveCrop }) =>
              moveCrop(event, this.#crop, view, (crop) => this.showCrop({ ...view, crop }), moved),
            () => undefined,
          );
        }
      }
    };
    this.#crop.addEventListener('pointerdown', move);
    this.#crop.addEventListener('keydown', move);
  }

  /** Frames what the model saw. */
  showCrop(view: PhotoView): void {
    const { width, height, crop } = view;
    this.#view = view;
    const [freeX, freeY] = [width - crop.width, height - crop.height];
    // Not where the whole is seen, nor while the camera runs.
    const isMovable = freeX + freeY > 0 && this.#frame.dataset['photo'] !== 'live';
    this.#crop.tabIndex = isMovable ? 0 : -1;
    this.#crop.dataset['crop'] = isMovable ? (freeX > freeY ? 'across' : 'along') : '';
    const now = freeX > freeY ? crop.x / freeX : crop.y / (freeY || 1);
    this.#crop.setAttribute('aria-valuenow', String(Math.round(100 * now)));
    const { style } = this.#crop;
    style.setProperty('left', share(crop.x, width));
    style.setProperty('top', share(crop.y, height));
    style.setProperty('width', share(crop.width, width));
    style.setProperty('height', share(crop.height, height));
    this.#crop.hidden = false;
  }

  /** Scrolls to the photo, with the tag at its foot, where it is out of sight. */
  bringIntoView(): void {
    // With the next frame, whose layout is made anyway; now it would be one more.
    requestAnimationFrame(() => this.#frame.scrollIntoView({ block: 'nearest' }));
  }

  /** Shows no photo. */
  clear(): void {
    this.#crop.hidden = true;
    delete this.#frame.dataset['photo'];
    this.#image.removeAttribute('src');
    this.#removeVideo();
    this.#release();
  }

  /** Applies the photo's aspect ratio, and shows a photo that is not the document's own. */
  #fit(): void {
    const { naturalWidth, naturalHeight } = this.#image;
    this.#shape(naturalWidth, naturalHeight);
    this.#frame.dataset['photo'] = this.#url === undefined ? 'first' : 'shown';
    this.#removeVideo();
  }

  #shape(width: number, height: number): void {
    this.#frame.style.setProperty('--aspect', String(width / height));
  }

  #removeVideo(): void {
    this.#video?.remove();
    this.#video = undefined;
  }

  #release(): void {
    if (this.#url) {
      URL.revokeObjectURL(this.#url);
      this.#url = undefined;
    }
  }
}

function share(part: number, whole: number): string {
  return `${(part / whole) * 100}%`;
}
