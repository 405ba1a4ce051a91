/** Takes tags out of the page as a file, and in from one. */

import type { Change, Lessons, OwnTag, TaughtPhoto } from './lessons';
import type { TaughtFile } from './taught-file';

/** Returns the change that adds what a file teaches; tags of a known name get more photos. */
export function changeBy({ tags, photos }: TaughtFile, lessons: Lessons): Change {
  const putTags: OwnTag[] = [];
  const ids = tags.map((name) => {
    const known = lessons.named(name);
    if (known) {
      return known.id;
    }
    const tag = { id: lessons.nextId(), name };
    putTags.push(tag);
    return tag.id;
  });
  const putPhotos = photos.map(({ tag, ...photo }): TaughtPhoto => ({
    ...photo,
    id: lessons.nextId(),
    tag: ids[tag] ?? 0,
    thumbnail: photo.photo,
  }));
  return { putTags, putPhotos };
}

/** Lets the browser save a file. */
export function save(name: string, file: Blob): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser begins to read it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
