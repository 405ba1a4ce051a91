/** What the ways to give photos need of the page. */

import type { PhotoFrame } from './photo-frame';
import type { Session } from './session';
import type { TagList } from './tag-list';

/** Where photos go. */
export interface PhotoPlace {
  readonly session: Session;
  readonly frame: PhotoFrame;
  readonly tags: TagList;
  /** Makes room for another photo. */
  clear(): void;
  /** Tags a photo in place of the one on show. */
  tag(file: Blob, alt: string): void;
  /**
   * Tags a photo that has yet to come.
   *
   * @param failed - Puts into words why it did not.
   */
  tagComing(
    coming: (signal: AbortSignal) => Promise<Blob>,
    alt: string,
    failed: (error: unknown) => string,
  ): Promise<void>;
  /** Says what went wrong. */
  alert(sentence: string): void;
}
