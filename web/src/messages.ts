/**
 * What the page and its worker say to each other.
 *
 * Every message is plain data with a `kind`, so that the structured clone carries it and
 * the compiler knows when one of them is not handled. Sentences for people are not made
 * here: the worker reports facts, and `page/sentences.ts` puts them into words.
 */

import type { ContractFault, InputSpec } from './contract';
import type { CropPlace, PhotoView } from './photo/crop';

/** The backends that compute on the graphics processor, the likely fastest first. */
export const GPU_BACKENDS = ['webgpu', 'webgl'] as const;

/** One of {@link GPU_BACKENDS}. */
export type GpuBackend = (typeof GPU_BACKENDS)[number];

/** The backend that a visit starts on: `cpu` is for browsers without WebAssembly. */
export type FirstBackend = 'wasm' | 'cpu';

/** The implementations of TF.js that this page can run on. */
export type BackendName = FirstBackend | GpuBackend;

/** All of them, in the order in which the page offers them. */
export const BACKENDS: readonly BackendName[] = [...GPU_BACKENDS, 'wasm', 'cpu'];

/** How long one inference took on two backends, in milliseconds. */
export interface Race {
  readonly first: FirstBackend;
  readonly firstMs: number;
  readonly gpu: GpuBackend;
  readonly gpuMs: number;
}

/** How the worker is to choose its backend. */
export type BackendPreference =
  /** On this one alone, and that is why. */
  | { readonly kind: 'forced'; readonly backend: BackendName; readonly reason: BackendReason }
  | { readonly kind: 'remembered'; readonly race: Race }
  | { readonly kind: 'compare' };

/** Which of a photo's tags are wanted; what is missing is as the page shows them. */
export interface TagChoice {
  /** The greatest number of tags. */
  readonly top?: number;
  /** The least score. */
  readonly threshold?: number;
  /** Whether the features are wanted too. */
  readonly features?: true;
}

/** What is to be tagged: a file, or its crop where the worker cannot decode files, or a camera's. */
export type Photo = { readonly choice?: TagChoice } & (
  | {
      readonly kind: 'file';
      readonly file: Blob;
      /** Where the visitor has moved the crop to; in the centre if missing. */
      readonly place?: CropPlace;
      /** Asks for a small picture of it, of which this is the longer side in pixels. */
      readonly thumbnailSide?: number;
    }
  /** A camera's frame; the last to use it closes it. */
  | { readonly kind: 'frame'; readonly frame: ImageBitmap | VideoFrame }
  | { readonly kind: 'pixels'; readonly pixels: ImageData; readonly view: PhotoView }
);

/** The files that the page fetches for its worker, by their addresses. */
export interface WorkerFiles {
  readonly contract: string;
  /** In the order of the contract's manifest. */
  readonly weights: readonly string[];
  /** Null where the worker does not start on WebAssembly. */
  readonly wasm: string | null;
}

/** From the page to the worker. */
export type ToWorker =
  | {
      readonly kind: 'start';
      readonly files: WorkerFiles;
      readonly backend: BackendPreference;
      /** Whether the WebAssembly is the one with vector instructions. */
      readonly simd: boolean;
      /** Whether a photo is on its way, so that the model's first run should wait for it. */
      readonly expectsPhoto: boolean;
    }
  /** The next bytes of a file. */
  | { readonly kind: 'piece'; readonly file: string; readonly bytes: Uint8Array<ArrayBuffer> }
  /** The file is complete; it is intact if this is its digest. */
  | {
      readonly kind: 'complete';
      readonly file: string;
      readonly digest: string | null;
      /** Whether the page wants it back in one piece, because it came in several answers. */
      readonly isWanted: boolean;
    }
  /** The WebAssembly in place of its bytes, already checked. */
  | { readonly kind: 'compiled'; readonly file: string; readonly module: WebAssembly.Module }
  | { readonly kind: 'classify'; readonly id: number; readonly photo: Photo }
  /** The photo that was on its way will not come. */
  | { readonly kind: 'no-photo' };

/**
 * The stages from the click on a link to the first tags, in the order they are shown.
 *
 * The first is the small model's first tag; the others are the full model's.
 */
export const STAGES = ['preview', 'download', 'backend', 'decode', 'warm-up', 'first-tag'] as const;

/** One of {@link STAGES}. */
export type Stage = (typeof STAGES)[number];

/** A stretch of time in milliseconds since the epoch, which both timelines share. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Why this backend runs, or why another one does not. */
export type BackendReason =
  | { readonly code: 'first' }
  | { readonly code: 'forced' }
  | { readonly code: 'chosen' }
  | { readonly code: 'chosen-missing'; readonly chosen: BackendName }
  | { readonly code: 'chosen-failed'; readonly chosen: BackendName; readonly detail: string }
  | { readonly code: 'no-wasm' }
  | { readonly code: 'no-gpu' }
  | { readonly code: 'software-renderer'; readonly gpu: GpuBackend }
  | { readonly code: 'half-precision'; readonly gpu: GpuBackend }
  | { readonly code: 'other-answer'; readonly gpu: GpuBackend }
  | { readonly code: 'gpu-failed'; readonly gpu: GpuBackend; readonly detail: string }
  | { readonly code: 'wasm-failed'; readonly detail: string }
  | ({ readonly code: 'measured' } & Race)
  | ({ readonly code: 'remembered' } & Race);

/** The backend that runs now. */
export interface BackendReport {
  readonly active: BackendName;
  /** Whether the WebAssembly file with vector instructions is the one in use. */
  readonly simd: boolean;
  readonly reason: BackendReason;
}

/** One label with its score. */
export interface Tag {
  /** Position in the contract's labels. */
  readonly classIndex: number;
  readonly label: string;
  readonly score: number;
  /** Set where the photo shows none of the labels, and this one is only the nearest. */
  readonly isNearest?: true;
}

/** What came of one photo. */
export interface Tagging {
  /** Best first. */
  readonly tags: readonly Tag[];
  /** How similar the photo is to the most similar label, where the model can say none of these. */
  readonly cosine: number | null;
  /** The input of the last dense layer, where it was asked for and the model has one. */
  readonly features?: Float32Array;
  readonly view: PhotoView;
  readonly preprocessMs: number;
  readonly inferenceMs: number;
  readonly backend: BackendName;
  /** How many tensors exist afterwards: constant unless something leaks. */
  readonly tensors: number;
  /** What they take, weights included. */
  readonly tensorBytes: number;
}

/** A finished request, as Resource Timing of the page or the worker reports it. */
export interface Transfer {
  readonly url: string;
  /** Bytes on the wire with headers; 0 where a cache of the browser answered. */
  readonly wireBytes: number;
  /** Of the body as sent; meaningless where {@link isKept}. */
  readonly encodedBytes: number;
  readonly decodedBytes: number;
  /** Whether the service worker had it. */
  readonly isKept: boolean;
  /** When it was asked for, and the first and the last byte came; milliseconds since the epoch. */
  readonly start: number;
  readonly response: number;
  readonly end: number;
}

/** Why a weight cannot be unpacked. */
export type WeightFault =
  | { readonly kind: 'schema'; readonly found: string; readonly known: number }
  | { readonly kind: 'encoding'; readonly found: string }
  | { readonly kind: 'scales'; readonly most: number }
  | { readonly kind: 'dtype'; readonly found: string }
  | { readonly kind: 'channels'; readonly found: string; readonly values: number }
  | { readonly kind: 'index'; readonly index: number; readonly scales: number };

/** Why a photo cannot be tagged. */
export type Refusal =
  /** The file is no picture that this browser reads. */
  | 'not-a-picture'
  /** This browser alters the pixels that pages read, to prevent fingerprinting. */
  | 'altered-pixels';

/** Why nothing can be tagged. */
export type Failure =
  | { readonly code: 'network'; readonly file: string }
  | { readonly code: 'http'; readonly file: string; readonly status: number }
  | { readonly code: 'html'; readonly file: string }
  /** Checksum mismatch: it is not the file that was published. */
  | { readonly code: 'damaged'; readonly file: string }
  | { readonly code: 'compression'; readonly file: string; readonly detail: string }
  | { readonly code: 'not-json'; readonly file: string }
  | {
      readonly code: 'length';
      readonly file: string;
      readonly expected: number;
      readonly received: number;
    }
  | { readonly code: 'contract'; readonly file: string; readonly fault: ContractFault }
  | { readonly code: 'manifest'; readonly file: string }
  | { readonly code: 'weight'; readonly weight: string; readonly fault: WeightFault }
  | { readonly code: 'graph'; readonly file: string; readonly detail: string }
  | { readonly code: 'outputs'; readonly expected: number; readonly found: number }
  | { readonly code: 'backend'; readonly backend: BackendName; readonly detail: string }
  | { readonly code: 'worker'; readonly detail: string }
  /** The browser runs no workers that are modules. */
  | { readonly code: 'old-browser' };

/** From the worker to the page. */
export type FromWorker =
  /** The first message: from now on the worker receives messages. */
  | { readonly kind: 'listening' }
  /** A file that the page wanted back, checked. */
  | { readonly kind: 'whole'; readonly file: string; readonly content: Blob }
  | { readonly kind: 'stage'; readonly stage: Stage; readonly span: Span }
  | { readonly kind: 'transfers'; readonly transfers: readonly Transfer[] }
  | { readonly kind: 'ready'; readonly labels: readonly string[] }
  | { readonly kind: 'backend'; readonly report: BackendReport }
  | { readonly kind: 'compared'; readonly race: Race }
  | {
      readonly kind: 'tagged';
      readonly id: number;
      readonly tagging: Tagging;
      /** Where one was asked for. */
      readonly thumbnail: ImageBitmap | null;
    }
  /** The photo was skipped, because a newer one had come. */
  | { readonly kind: 'passed-over'; readonly id: number }
  /** This worker cannot draw, or cannot read what it drew: the page must send the pixels. */
  | { readonly kind: 'pixels-wanted'; readonly id: number; readonly input: InputSpec }
  | { readonly kind: 'refused'; readonly id: number; readonly refusal: Refusal }
  | { readonly kind: 'failed'; readonly failure: Failure };
