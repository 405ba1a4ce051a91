/** Takes tags from a file into the page. */

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
