/** Brings photos and workers together, and keeps what is shown true to the last photo. */

import type {
  BackendName,
  BackendReport,
  BackendWish,
  Failure,
  FromWorker,
  Race,
  Span,
  Stage,
  Tagging,
  Transfer,
} from '../messages';
import { previewWish, wishInstead } from './backend-wish';
import { Conversation } from './conversation';
import { say } from './language';
import type { PageState } from './page-state';
import { keepsDownloads, prepareSecondVisit } from './second-visit';
import type { ModelFiles, Role } from './site-files';
import { failureSentence } from './sentences';

/** What the session tells the page. */
export interface SessionEvents {
  state(state: PageState): void;
  progress(receivedBytes: number, totalBytes: number): void;
  stage(stage: Stage, span: Span): void;
  transfers(transfers: readonly Transfer[]): void;
  backend(report: BackendReport): void;
  compared(race: Race): void;
  tagged(tagging: Tagging, role: Role): void;
  /** The full model's tags have just taken the place of the preview's. */
  upgraded(): void;
  /** @param retry - Whether starting anew may help. */
  failed(sentence: string, retry: boolean): void;
}

/**
 * One visit to the page.
 *
 * On a first visit a preview, if the site has one, answers until the full model does: the full
 * one starts when the preview's files have come, both get the photos, and the preview is gone
 * at the full one's first tags.
 */
export class Session {
  readonly #preview: ModelFiles | null;
  readonly #offered: ReadonlySet<BackendName>;
  readonly #events: SessionEvents;
  readonly #conversations = new Map<Role, Conversation>();
  readonly #ready = new Set<Role>();
  #model: ModelFiles;
  #wish: BackendWish;
  /** Of the full model. */
  #failure: Failure | undefined;
  #isExpecting = false;
  /** Whether the full model has. */
  #hasTagged = false;
  #hasPreviewFailed = false;
  /** The last one whose downloads were handed to the service worker. */
  #kept: Conversation | undefined;
  #photo: { readonly id: number; readonly file: Blob } | undefined;
  #lastId = 0;
  /** The photo whose tags are shown as the preview found them. */
  #previewedId: number | undefined;

  /**
   * @param model - The variant to begin with.
   * @param offered - The backends that may stand in for one that the visitor chose.
   */
  constructor(
    model: ModelFiles,
    preview: ModelFiles | null,
    wish: BackendWish,
    offered: ReadonlySet<BackendName>,
    events: SessionEvents,
  ) {
    this.#model = model;
    this.#preview = preview;
    this.#wish = wish;
    this.#offered = offered;
    this.#events = events;
  }

  /** The photo that was last given, if it is there and a picture. */
  get photo(): Blob | null {
    return this.#photo?.file ?? null;
  }

  /** Starts anew on another backend, with the photo that was last given. */
  switchTo(wish: BackendWish): void {
    this.#wish = wish;
    this.#restart();
  }

  /** Starts anew with another variant of the model, likewise. */
  take(model: ModelFiles): void {
    this.#model = model;
    this.#restart();
  }

  #restart(): void {
    this.#end('preview');
    // The files are in the browser's cache, and are right unless one of them was what failed.
    this.start(this.#failure !== undefined && faultOfBackend(this.#failure) === null);
  }

  /** Starts the model; after a failure anew, with the photo that was last given. */
  start(afresh = false): void {
    this.#end('full');
    this.#failure = undefined;
    const preview = this.#preview;
    if (preview && !this.#conversations.has('preview') && !this.#isPastPreview) {
      this.#begin('preview', preview, afresh);
    } else {
      this.#begin('full', this.#model, afresh);
    }
    this.#events.state(this.#pendingState);
  }

  /** Says that a photo is on its way, so that those before it no longer count. */
  expect(): void {
    this.#lastId++;
    this.#photo = undefined;
    this.#isExpecting = true;
    if (this.#ready.size > 0) {
      this.#events.state('tagging');
    }
  }

  /**
   * Tags a photo in place of every one before it, as soon as a model is there.
   *
   * @param isAsked - Whether the visitor gave it; after a failure only that is worth another try.
   */
  tag(file: Blob, isAsked = true): void {
    this.expect();
    this.#isExpecting = false;
    this.#photo = { id: this.#lastId, file };
    const isRetry = this.#failure !== undefined && isAsked;
    if (isRetry) {
      this.#end('full');
    }
    for (const conversation of this.#conversations.values()) {
      conversation.classify(this.#lastId, { kind: 'file', file });
    }
    if (isRetry) {
      this.start(true);
    }
  }

  /** Says that there is nothing to tag after all. */
  giveUp(sentence: string): void {
    this.#isExpecting = false;
    this.#photo = undefined;
    for (const conversation of this.#conversations.values()) {
      conversation.giveUp();
    }
    this.#events.failed(sentence, this.#failure !== undefined);
    if (this.#ready.size > 0) {
      this.#events.state('failed');
    }
  }

  get #isPastPreview(): boolean {
    return this.#hasTagged || this.#hasPreviewFailed;
  }

  /** What the page is about as long as the full model has not tagged the last photo. */
  get #pendingState(): PageState {
    if (this.#previewedId === this.#lastId) {
      return 'previewing';
    }
    if (this.#ready.size > 0 && (this.#photo || this.#isExpecting)) {
      return 'tagging';
    }
    return this.#ready.has('full') ? 'ready' : 'loading';
  }

  /** @param afresh - Holds for the full model too where it follows the preview. */
  #begin(role: Role, files: ModelFiles, afresh: boolean): void {
    const isFull = role === 'full';
    const conversation = new Conversation(
      (message) => {
        // What a worker that was ended had still said is no longer of interest.
        if (conversation === this.#conversations.get(role)) {
          this.#hear(message, role, conversation);
        }
      },
      {
        progress: (receivedBytes) => this.#events.progress(receivedBytes, files.weightBytes),
        finished: (span) => {
          if (isFull) {
            this.#showStage('download', span);
          } else {
            this.#follow(afresh);
          }
        },
      },
    );
    this.#conversations.set(role, conversation);
    const wish = isFull ? this.#wish : previewWish(this.#wish, this.#offered);
    conversation.start(files, wish, {
      afresh,
      keep: isFull && keepsDownloads(),
      expectsPhoto: this.#isExpecting || this.#photo !== undefined,
    });
    if (this.#photo) {
      conversation.classify(this.#photo.id, { kind: 'file', file: this.#photo.file });
    }
  }

  /** Lets the full model follow the preview. */
  #follow(afresh: boolean): void {
    if (!this.#conversations.has('full')) {
      this.#events.progress(0, this.#model.weightBytes);
      this.#begin('full', this.#model, afresh);
    }
  }

  #end(role: Role): void {
    this.#conversations.get(role)?.end();
    this.#conversations.delete(role);
    this.#ready.delete(role);
    if (role === 'preview') {
      this.#previewedId = undefined;
    }
  }

  #hear(message: FromWorker, role: Role, conversation: Conversation): void {
    switch (message.kind) {
      case 'stage':
        if (role === 'full') {
          this.#showStage(message.stage, message.span);
        } else if (message.stage === 'first-tag') {
          this.#showStage('preview', message.span);
        }
        break;
      case 'transfers':
        this.#events.transfers(message.transfers);
        break;
      case 'backend':
        this.#events.backend(message.report);
        break;
      case 'compared':
        this.#events.compared(message.race);
        break;
      case 'ready':
        this.#ready.add(role);
        if (!this.#failure && this.#pendingState !== 'loading') {
          this.#events.state(this.#pendingState);
        }
        break;
      case 'tagged':
        this.#show(message, role);
        break;
      case 'pixels-wanted':
        void this.#sendPixels(message, conversation);
        break;
      case 'refused':
        if (message.id === this.#lastId) {
          this.giveUp(say('notAPicture'));
        }
        break;
      case 'failed':
        if (role === 'full') {
          this.#fail(message.failure);
        } else {
          this.#dropPreview(message.failure);
        }
        break;
    }
  }

  #show({ id, tagging }: Extract<FromWorker, { kind: 'tagged' }>, role: Role): void {
    const isLast = id === this.#lastId;
    const isUpgrade = isLast && role === 'full' && this.#previewedId === id;
    if (isLast) {
      this.#events.tagged(tagging, role);
    }
    if (role === 'full') {
      this.#end('preview');
      this.#keep();
    } else if (isLast) {
      this.#previewedId = id;
    }
    // What went wrong with the full model is no better for the preview's tags.
    if (isLast && !this.#failure) {
      this.#events.state(role === 'full' ? 'tagged' : 'previewing');
    }
    if (isUpgrade) {
      this.#events.upgraded();
    }
  }

  /** Goes on without the preview, of which nothing need be said: the full model is coming. */
  #dropPreview(failure: Failure): void {
    console.info('The page does without its preview.', failure);
    this.#hasPreviewFailed = true;
    this.#end('preview');
    this.#follow(false);
    if (!this.#failure) {
      this.#events.state(this.#pendingState);
    }
  }

  #fail(failure: Failure): void {
    const wish = this.#wish;
    const detail = faultOfBackend(failure);
    if (detail !== null && wish.kind === 'forced' && wish.reason.code === 'chosen') {
      // Chosen perhaps long ago, and drivers change: that must not cost the visitor the tags.
      const reason = { code: 'chosen-failed', chosen: wish.backend, detail } as const;
      this.switchTo(wishInstead(reason, this.#offered));
      return;
    }
    this.#ready.delete('full');
    this.#failure = failure;
    this.#events.failed(failureSentence(failure), true);
    this.#events.state('failed');
  }

  /** The stages lead from the click on a link to the first tags; a later start has no place there. */
  #showStage(stage: Stage, span: Span): void {
    if (!this.#hasTagged) {
      this.#events.stage(stage, span);
    }
  }

  /** The second visit is made ready once there are tags: it must not keep them waiting. */
  #keep(): void {
    const conversation = this.#conversations.get('full');
    if (conversation && conversation !== this.#kept) {
      this.#kept = conversation;
      this.#hasTagged = true;
      void prepareSecondVisit(conversation.downloaded);
    }
  }

  async #sendPixels(
    { id, input }: Extract<FromWorker, { kind: 'pixels-wanted' }>,
    conversation: Conversation,
  ): Promise<void> {
    const file = this.#photo?.id === id ? this.#photo.file : undefined;
    if (!file) {
      return;
    }
    const { decodeForWorker } = await import('./decode-for-worker');
    try {
      const photo = await decodeForWorker(file, input);
      if (id === this.#lastId) {
        conversation.classify(id, photo);
      }
    } catch {
      if (id === this.#lastId) {
        this.giveUp(say('notAPicture'));
      }
    }
  }
}

/** Returns what went wrong where another backend may do better, or null. */
function faultOfBackend(failure: Failure): string | null {
  switch (failure.code) {
    case 'backend':
    case 'graph':
    case 'worker':
      return failure.detail;
    default:
      return null;
  }
}
