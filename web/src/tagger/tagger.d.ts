/** Tags photos in the visitor's browser with the model of a site that `toolchain build` made. */

/** What computes: `auto` starts on WebAssembly and changes to the graphics processor if that is faster. */
export type Backend = 'auto' | 'wasm' | 'webgl' | 'webgpu' | 'cpu';

/** What can be tagged: a file, or a picture that the page may read. It is not changed. */
export type TaggerPhoto =
  Blob | HTMLImageElement | HTMLCanvasElement | HTMLVideoElement | ImageBitmap | ImageData;

/** A box in pixels of the photo, as the browser shows it. */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** How much of the model has come. */
export interface Progress {
  /** Bytes of weights so far. */
  readonly received: number;
  /** Bytes of all weights. */
  readonly total: number;
}

/** How to load. */
export interface LoadOptions {
  /** Called while the weights come. */
  readonly onProgress?: (progress: Progress) => void;
  /** `auto` if missing. A backend that is named is the only one that is tried. */
  readonly backend?: Backend;
  /** Ends the loading; {@link load} then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How to tag. */
export interface TagOptions {
  /** The greatest number of tags; if missing, 5, or for a multi-label model all that reach its threshold. */
  readonly top?: number;
  /** The least score of a tag, from 0 to 1; if missing, the model's for a multi-label model, else none. */
  readonly threshold?: number;
  /** The part of the photo that is looked at: in it the largest centred box of the model's shape. */
  readonly crop?: Crop;
  /** Ends the waiting; `tag` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How to embed. */
export type EmbedOptions = Pick<TagOptions, 'crop' | 'signal'>;

/** One label with its score. */
export interface Tag {
  readonly label: string;
  /** Its position in the labels, from 0. */
  readonly index: number;
  /** From 0 to 1 for models that give probabilities. */
  readonly score: number;
}

/** What came of one photo. */
export interface Tagging {
  /** Best first; empty if the photo shows none of the labels, or no label reaches the threshold. */
  readonly tags: readonly Tag[];
  /** Where there are no tags: the label of the highest score. */
  readonly nearest: Tag | null;
  readonly backend: Exclude<Backend, 'auto'>;
  /** Time of the model's run in milliseconds, without decoding and resizing. */
  readonly milliseconds: number;
}

/** How to tag a video. */
export interface StreamOptions extends Omit<TagOptions, 'signal'> {
  /** Called once, with why the stream ended, unless it was stopped. */
  readonly onError?: (error: unknown) => void;
}

/** What storing the weights in fewer bytes costs, in points, with its 95 % interval. */
export interface Drop {
  readonly points: number;
  readonly low: number;
  readonly high: number;
  /** Of what: the share of photos whose first label is right, or, of multi-label models, all scores. */
  readonly measure: 'top-1' | 'scores';
}

/** The model that was loaded. */
export interface TaggerInfo {
  readonly name: string;
  readonly source: string;
  readonly licence: string;
  /** Of the model as it was published, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly task: 'single-label' | 'multi-label';
  readonly labels: readonly string[];
  /** Of all weights, as they are stored. */
  readonly bytes: number;
  /** Null if it was not measured. */
  readonly drop: Drop | null;
}

/** Why a model cannot be loaded, or a photo not be tagged. Its message is one sentence in English. */
export declare class TaggerError extends Error {
  readonly name: 'TaggerError';
  /** `model`: the model cannot run. `photo`: this photo cannot be tagged. `closed`: `close` was called. */
  readonly code: 'model' | 'photo' | 'closed';
  constructor(code: 'model' | 'photo' | 'closed', sentence: string, options?: ErrorOptions);
}

/** A loaded model. Photos are tagged one after the other. */
export interface Tagger {
  readonly info: TaggerInfo;
  /**
   * Tags a photo.
   *
   * Rejects with a {@link TaggerError}, with the reason of the signal, or for unusable options with
   * a `RangeError`.
   */
  tag(photo: TaggerPhoto, options?: TagOptions): Promise<Tagging>;
  /**
   * Returns a photo's features: the input of the model's last dense layer.
   *
   * Photos of similar things have features of similar direction, also of things that are none of the
   * labels: compare them by cosine.
   *
   * Rejects as {@link tag} does, and with the code `model` where the model has no such layer.
   */
  embed(photo: TaggerPhoto, options?: EmbedOptions): Promise<Float32Array>;
  /**
   * Tags a video's pictures for as long as it runs: the newest when the one before has its tags.
   *
   * @returns what stops it.
   */
  stream(
    video: HTMLVideoElement,
    onTags: (tagging: Tagging) => void,
    options?: StreamOptions,
  ): () => void;
  /**
   * Teaches the model that a photo shows what a label of your own says. From the first one on all
   * photos get your labels in place of the model's. What is taught is in memory only: {@link export} it.
   *
   * Rejects as {@link embed} does, and with the code `model` where the site was built without `--teach`.
   */
  teach(label: string, photo: TaggerPhoto, options?: EmbedOptions): Promise<void>;
  /** Forgets a label of your own with its photos, or all of them; without any the model's are back. */
  forget(label?: string): Promise<void>;
  /** Returns what was taught as a zip, for {@link import} and `toolchain build --head`. */
  export(): Promise<Blob>;
  /** Adds what a page of the same model has exported. */
  import(file: Blob): Promise<void>;
  /** Ends the model's worker and frees its memory. What waits for tags is rejected. */
  close(): void;
}

/** The version of this interface; the first number changes if a page has to be changed too. */
export declare const version: string;

/**
 * Loads the model of a site. Importing this module loads nothing.
 *
 * @param site - The site's address, absolute or relative to the document, such as `/model/`.
 */
export declare function load(site: string | URL, options?: LoadOptions): Promise<Tagger>;
