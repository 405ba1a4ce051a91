/** The visitor's own tags with their photos, and the way back from each change. */

/** A tag of the visitor's. */
export interface OwnTag {
  readonly id: number;
  readonly name: string;
}

/** A photo that a tag was given. */
export interface TaughtPhoto {
  readonly id: number;
  /** The id of its tag. */
  readonly tag: number;
  /** The name of its file, or what the page calls it. */
  readonly name: string;
  readonly features: Float32Array;
  /** A small picture; null where the visitor did not let it be kept and it is gone. */
  readonly thumbnail: Blob | null;
  /** The photo itself, where the visitor lets it be kept. */
  readonly photo: Blob | null;
}

/** A photo to learn from. */
export interface Lesson {
  readonly id: number;
  /** Its tag's place among the tags. */
  readonly tag: number;
  readonly features: Float32Array;
}

/** What is to be different. */
export interface Change {
  readonly putTags?: readonly OwnTag[];
  readonly putPhotos?: readonly TaughtPhoto[];
  readonly dropTags?: readonly number[];
  readonly dropPhotos?: readonly number[];
}

/** How many changes can be undone. */
const UNDOABLE = 50;

/** All tags and photos, in the order of their ids: that in which they came. */
export class Lessons {
  readonly #tags = new Map<number, OwnTag>();
  readonly #photos = new Map<number, TaughtPhoto>();
  readonly #undo: Change[] = [];
  #lastId = 0;

  /** The tags, in the order in which they were added. */
  get tags(): readonly OwnTag[] {
    return [...this.#tags.values()].sort((a, b) => a.id - b.id);
  }

  /** All photos. */
  get photos(): readonly TaughtPhoto[] {
    return [...this.#photos.values()].sort((a, b) => a.id - b.id);
  }

  /** Whether there is something to undo. */
  get canUndo(): boolean {
    return this.#undo.length > 0;
  }

  /** Returns the photos of a tag. */
  of(tag: number): readonly TaughtPhoto[] {
    return this.photos.filter((photo) => photo.tag === tag);
  }

  /** Returns the tags that have photos, and these photos, each with its tag's place among them. */
  learnable(): { readonly tags: readonly OwnTag[]; readonly photos: readonly Lesson[] } {
    const { photos } = this;
    const used = new Set(photos.map(({ tag }) => tag));
    const tags = this.tags.filter(({ id }) => used.has(id));
    const places = new Map(tags.map(({ id }, place) => [id, place]));
    return {
      tags,
      photos: photos.flatMap(({ id, tag, features }) => {
        const place = places.get(tag);
        return place === undefined ? [] : [{ id, tag: place, features }];
      }),
    };
  }

  /** Returns the tag of a name, whatever its case. */
  named(name: string): OwnTag | undefined {
    const wanted = folded(name);
    return this.tags.find((tag) => folded(tag.name) === wanted);
  }

  /** Returns a new id, greater than all before, and of no other page that is open. */
  nextId(now = Date.now()): number {
    const [noise = 0] = crypto.getRandomValues(new Uint16Array(1));
    // 2^41 ms are seventy years; twelve more bits fit into a whole number.
    this.#lastId = Math.max(now * 4096 + (noise & 4095), this.#lastId + 1);
    return this.#lastId;
  }

  /** Makes a change; what was there before can be undone unless it is read from the store. */
  make(change: Change, canBeUndone = true): void {
    const back = this.#apply(change);
    if (canBeUndone) {
      this.#undo.push(back);
      this.#undo.splice(0, this.#undo.length - UNDOABLE);
    }
  }

  /** Takes back the last change; returns what that changes, or null where there is none. */
  undo(): Change | null {
    const back = this.#undo.pop() ?? null;
    if (back) {
      this.#apply(back);
    }
    return back;
  }

  /** Returns the change that removes a tag with its photos. */
  withoutTag(tag: number): Change {
    return { dropTags: [tag], dropPhotos: this.of(tag).map(({ id }) => id) };
  }

  /** Returns the change that names a tag; it joins another tag of that name. */
  renamed(tag: OwnTag, name: string): Change {
    const other = this.named(name);
    return other && other.id !== tag.id
      ? {
          dropTags: [tag.id],
          putPhotos: this.of(tag.id).map((photo) => ({ ...photo, tag: other.id })),
        }
      : { putTags: [{ ...tag, name }] };
  }

  /** Forgets everything, and what could be undone. */
  clear(): void {
    this.#tags.clear();
    this.#photos.clear();
    this.#undo.length = 0;
  }

  #apply({ putTags = [], putPhotos = [], dropTags = [], dropPhotos = [] }: Change): Change {
    const back = {
      putTags: known(this.#tags, [...dropTags, ...putTags.map(({ id }) => id)]),
      putPhotos: known(this.#photos, [...dropPhotos, ...putPhotos.map(({ id }) => id)]),
      dropTags: putTags.flatMap(({ id }) => (this.#tags.has(id) ? [] : [id])),
      dropPhotos: putPhotos.flatMap(({ id }) => (this.#photos.has(id) ? [] : [id])),
    };
    dropTags.forEach((id) => this.#tags.delete(id));
    dropPhotos.forEach((id) => this.#photos.delete(id));
    putTags.forEach((tag) => this.#tags.set(tag.id, tag));
    putPhotos.forEach((photo) => this.#photos.set(photo.id, photo));
    return back;
  }
}

function known<Value>(all: ReadonlyMap<number, Value>, ids: readonly number[]): Value[] {
  return ids.flatMap((id) => all.get(id) ?? []);
}

function folded(name: string): string {
  return name.normalize('NFC').toLocaleLowerCase();
}
