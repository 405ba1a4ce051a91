/** `<image-tagger src="/model/">`: an element that tags photos, for pages without a script. */

import type { Progress, TaggerError, TaggerPhoto, Tagging } from './tagger';

/** What an element tells its page; none of these events bubbles. */
export interface ImageTaggerEvents {
  /** A photo has been tagged. */
  readonly tags: CustomEvent<Tagging>;
  /** More of the model has come. */
  readonly progress: CustomEvent<Progress>;
  /** The model cannot be loaded, or a photo not be tagged. The element shows the sentence. */
  readonly error: CustomEvent<TaggerError | RangeError>;
}

/**
 * The element.
 *
 * Attributes: `src` (the site's address), and `top`, `threshold` and `backend` as in `TagOptions` and
 * `LoadOptions`. Slots: the content is the button's text; `photo` takes an `<img>`, which is tagged as
 * soon as it is there; `loading` and `none` take the texts for these states. Parts: `button`, `photo`,
 * `progress`, `tags`, `tag`, `label`, `score`, `bar`, `none` and `error`.
 */
export declare class ImageTagger extends HTMLElement {
  /**
   * Tags a photo in place of the one before, and shows its tags; loads the model if it must.
   *
   * @returns null if another photo was given meanwhile, or after the event `error`.
   */
  tag(photo: TaggerPhoto): Promise<Tagging | null>;
  addEventListener<Name extends keyof ImageTaggerEvents>(
    type: Name,
    listener: (this: ImageTagger, event: ImageTaggerEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'image-tagger': ImageTagger;
  }
}
