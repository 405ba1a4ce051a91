/** Which photos are to be tagged: the one on show, and those in the background. */

import type { Photo, Refusal, Tagging } from '../messages';
import type { CropPlace } from '../photo/crop';

/** What stands where there is no photo on show: nothing, one on its way, or the camera's picture. */
export type InPlace = 'nothing' | 'expected' | 'live';

/** A photo of the background queue: of a gallery, or a camera's frame. */
export interface Queued {
  /** Names the photo to whoever asked for its tags. */
  readonly key: number;
  readonly photo: Photo;
}

/** What came of a background photo. */
export type BackgroundAnswer =
  | { readonly kind: 'tagged'; readonly tagging: Tagging; readonly thumbnail: ImageBitmap | null }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The model failed while it had the photo. */
  | { readonly kind: 'failed' }
  /** It was not looked at; ask again where it still matters. */
  | { readonly kind: 'lost' };

/** Frees the small picture of an answer that nobody uses: browsers keep it until it is closed. */
export function discard(answer: BackgroundAnswer): void {
  if (answer.kind === 'tagged') {
    answer.thumbnail?.close();
  }
}

/** All photos that still matter. Ids number photos, so that an answer names the one it is for. */
export interface Requests {
  readonly lastId: number;
  /** The id of the photo on show; answers for earlier photos on show are too late. */
  readonly shownId: number;
  /** The photo on show. */
  readonly photo: Blob | null;
  /** Where its crop has been moved to. */
  readonly place?: CropPlace | undefined;
  readonly inPlace: InPlace;
  /** Whether the full model has the photo on show and has not answered. */
  readonly isAnswerDue: boolean;
  readonly waiting: readonly Queued[];
  /**
   * The one background photo that the worker has. It is never more than one, so that a photo
   * that the visitor gives meanwhile waits for one of these at most.
   */
  readonly asked: (Queued & { readonly id: number }) | null;
}

/** Nothing to tag. */
export const NO_REQUESTS: Requests = {
  lastId: 0,
  shownId: 0,
  photo: null,
  inPlace: 'nothing',
  isAnswerDue: false,
  waiting: [],
  asked: null,
};

/** Puts something in place of the photo on show, whose answer will be too late. */
export function replace(requests: Requests, inPlace: InPlace): Requests {
  const id = requests.lastId + 1;
  return { ...forget(requests), lastId: id, shownId: id, inPlace };
}

/** Shows a photo in place of what is there. */
export function show(requests: Requests, photo: Blob): Requests {
  return { ...replace(requests, 'nothing'), photo };
}

/** Shows the same photo with its crop elsewhere; the answer for the former place is too late. */
export function move(requests: Requests, place: CropPlace): Requests {
  const id = requests.lastId + 1;
  return { ...requests, lastId: id, shownId: id, place };
}

/** Forgets the photo on show, which cannot be tagged. */
export function forget(requests: Requests): Requests {
  return { ...requests, photo: null, place: undefined, inPlace: 'nothing', isAnswerDue: false };
}

/** Returns whether a photo is on show, or on its way. */
export function hasPhoto({ photo, inPlace }: Requests): boolean {
  return photo !== null || inPlace === 'expected';
}

/** Returns the file that has this id, if it still matters. */
export function fileOf({ asked, photo, shownId }: Requests, id: number): Blob | null {
  if (asked?.id === id) {
    return asked.photo.kind === 'file' ? asked.photo.file : null;
  }
  return id === shownId ? photo : null;
}

/** Takes the next background photo for the worker, if it is its turn. */
export function takeNext(requests: Requests): Requests {
  const [first, ...waiting] = requests.waiting;
  if (!first || requests.isAnswerDue || requests.asked) {
    return requests;
  }
  const id = requests.lastId + 1;
  return { ...requests, lastId: id, waiting, asked: { ...first, id } };
}
