/** What a session knows, what can happen to it, and what it wants done; see `session-reducer.ts`. */

import type { InputSpec } from '../contract';
import type {
  BackendName,
  BackendPreference,
  Failure,
  FromWorker,
  Photo,
  Refusal,
  Span,
} from '../messages';
import type { CropPlace } from '../photo/crop';
import { type BackgroundAnswer, NO_REQUESTS, type Requests } from './requests';
import type { ViewCall } from './session-view';
import type { ModelFiles, Role } from './site-files';

/** A worker with its downloads. */
export interface ClientState {
  readonly id: number;
  readonly isReady: boolean;
  /** Whether its files were fetched past the browser's cache. */
  readonly bypassCache: boolean;
}

/** All that a session knows. */
export interface SessionState {
  readonly model: ModelFiles;
  readonly preview: ModelFiles | null;
  readonly preference: BackendPreference;
  /** The backends that may replace one that the visitor chose. */
  readonly offered: ReadonlySet<BackendName>;
  readonly requests: Requests;
  readonly clients: Readonly<Partial<Record<Role, ClientState>>>;
  readonly lastClient: number;
  /** Why the full model cannot tag. */
  readonly failure: Failure | null;
  /** Whether the full model has tagged anything. */
  readonly hasTagged: boolean;
  readonly hasPreviewFailed: boolean;
  /** Whether a damaged file has been fetched again since the full model was last ready. */
  readonly hasRefetched: boolean;
  /** The last client whose downloads were handed to the service worker. */
  readonly keptClient: number | null;
  /** The photo whose tags on show are the preview's. */
  readonly previewedId: number | null;
}

/** Returns the state before anything has happened. */
export function initialState(
  facts: Pick<SessionState, 'model' | 'preview' | 'preference' | 'offered'>,
): SessionState {
  return {
    ...facts,
    requests: NO_REQUESTS,
    clients: {},
    lastClient: 0,
    failure: null,
    hasTagged: false,
    hasPreviewFailed: false,
    hasRefetched: false,
    keptClient: null,
    previewedId: null,
  };
}

/** What can happen to a session; the methods of `Session` say what the first ones mean. */
export type SessionEvent =
  | { readonly kind: 'start'; readonly bypassCache: boolean }
  | { readonly kind: 'switch-backend'; readonly preference: BackendPreference }
  | { readonly kind: 'switch-variant'; readonly model: ModelFiles }
  | { readonly kind: 'expect' }
  | { readonly kind: 'go-live' }
  | { readonly kind: 'recover' }
  | { readonly kind: 'tag'; readonly file: Blob; readonly isAsked: boolean }
  | { readonly kind: 'move'; readonly place: CropPlace }
  | { readonly kind: 'give-up'; readonly sentence: string }
  | { readonly kind: 'ask'; readonly key: number; readonly photo: Photo }
  | { readonly kind: 'withdraw'; readonly key: number }
  /** A worker, or its downloads, sent a message. */
  | { readonly kind: 'message'; readonly client: number; readonly message: FromWorker }
  /** A client's contract and weights have arrived. */
  | { readonly kind: 'downloaded'; readonly client: number; readonly span: Span }
  /** The page has decoded a photo for a worker that cannot, or has failed to. */
  | {
      readonly kind: 'decoded';
      readonly client: number;
      readonly id: number;
      readonly result: Photo | Refusal;
    }
  /** The sentence that says why a photo on show was refused. */
  | { readonly kind: 'explained'; readonly id: number; readonly sentence: string };

/** What a session wants done. */
export type Effect =
  | {
      readonly kind: 'start-client';
      readonly role: Role;
      readonly client: number;
      readonly files: ModelFiles;
      readonly preference: BackendPreference;
      readonly bypassCache: boolean;
      readonly expectsPhoto: boolean;
    }
  | { readonly kind: 'end-client'; readonly client: number }
  | {
      readonly kind: 'classify';
      readonly client: number;
      readonly id: number;
      readonly photo: Photo;
    }
  /** The photo that the client expects will not come. */
  | { readonly kind: 'no-photo'; readonly client: number }
  /** Decode a photo on this thread; `decoded` follows. */
  | {
      readonly kind: 'decode';
      readonly client: number;
      readonly id: number;
      readonly file: Blob;
      readonly input: InputSpec;
      readonly place: CropPlace | undefined;
    }
  /** Find the words for a refusal; `explained` follows. */
  | {
      readonly kind: 'explain';
      readonly id: number;
      readonly file: Blob;
      readonly refusal: Refusal;
    }
  /** Hand a client's downloads to the service worker. */
  | { readonly kind: 'keep-downloads'; readonly client: number }
  | { readonly kind: 'answer'; readonly key: number; readonly answer: BackgroundAnswer }
  /** Free a picture that nobody uses: browsers keep it until it is closed. */
  | { readonly kind: 'close'; readonly picture: { close(): void } }
  | { readonly kind: 'log'; readonly text: string; readonly detail: unknown }
  | ({ readonly kind: 'view' } & ViewCall);
