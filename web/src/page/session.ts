/** Brings photos and workers together, and keeps what is shown true to the last photo. */

import type {
  BackendName,
  BackendPreference,
  Failure,
  FromWorker,
  Photo,
  Refusal,
  Span,
  Stage,
} from '../messages';
import { backendFault, previewPreference, fallbackAfter } from './backend-preference';
import { WorkerClient } from './worker-client';
import { preloadFeatures } from './feature-preload';
import type { PageState } from './page-state';
import { Requests } from './requests';
import { keepsDownloads, prepareSecondVisit } from './second-visit';
import { failureSentence, refusalSentence } from './sentences';
import type { SessionEvents } from './session-events';
import type { ModelFiles, Role } from './site-files';
import type { BackgroundAnswer } from './background-queue';

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
  readonly #firstPaint: Promise<void>;
  readonly #events: SessionEvents;
  readonly #clients = new Map<Role, WorkerClient>();
  readonly #ready = new Set<Role>();
  #model: ModelFiles;
  #preference: BackendPreference;
  /** Of the full model. */
  #failure: Failure | undefined;
  /** Whether the full model has. */
  #hasTagged = false;
  #hasPreviewFailed = false;
  /** Whether a wrong file has been fetched anew since the model was last there. */
  #hasRefetched = false;
  readonly #requests = new Requests();
  /** The last one whose downloads were handed to the service worker. */
  #kept: WorkerClient | undefined;
  /** The photo whose tags are shown as the preview found them. */
  #previewedId: number | undefined;

  /**
   * @param model - The variant to begin with.
   * @param offered - The backends that may stand in for one that the visitor chose.
   * @param firstPaint - What most of the weights wait for.
   */
  constructor(
    model: ModelFiles,
    preview: ModelFiles | null,
    preference: BackendPreference,
    offered: ReadonlySet<BackendName>,
    firstPaint: Promise<void>,
    events: SessionEvents,
  ) {
    this.#model = model;
    this.#preview = preview;
    this.#preference = preference;
    this.#offered = offered;
    this.#firstPaint = firstPaint;
    this.#events = events;
  }

  /** The photo that was last given, if it is there and a picture. */
  get photo(): Blob | null {
    return this.#requests.photo ?? null;
  }

  /** Starts anew on another backend, with the photo that was last given. */
  switchTo(preference: BackendPreference): void {
    this.#preference = preference;
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
    this.start(this.#failure !== undefined && backendFault(this.#failure) === null);
  }

  /** Starts the model; after a failure anew, with the photo that was last given. */
  start(afresh = false): void {
    this.#end('full');
    this.#failure = undefined;
    const preview = this.#preview;
    if (preview && !this.#clients.has('preview') && !this.#isPastPreview) {
      this.#begin('preview', preview, afresh);
    } else {
      this.#begin('full', this.#model, afresh);
    }
    this.#events.state(this.#pendingState);
  }

  /** Says that a photo is on its way, so that those before it no longer count. */
  expect(): void {
    this.#requests.replace('expected');
    if (this.#ready.size > 0) {
      this.#events.state('tagging');
    }
  }

  /** Says that the camera's frames come in place of a photo, by {@link ask}. */
  goLive(): void {
    this.#requests.replace('live');
    for (const client of this.#clients.values()) {
      client.giveUp();
    }
    this.recover();
    this.#events.state(this.#pendingState);
  }

  /** Starts anew if the model has failed. */
  recover(): void {
    if (this.#failure) {
      this.start(true);
    }
  }

  /**
   * Tags a photo beside the one on show, by the full model when it is there and has time.
   *
   * @param signal - Withdraws it.
   */
  ask(photo: Photo, signal: AbortSignal): Promise<BackgroundAnswer> {
    const answer = this.#requests.side.put(photo, signal);
    this.#serveSide();
    return answer;
  }

  /**
   * Tags a photo in place of every one before it, as soon as a model is there.
   *
   * @param isAsked - Whether the visitor gave it; after a failure only that is worth another try.
   */
  tag(file: Blob, isAsked = true): void {
    this.expect();
    this.#requests.show(file);
    const isRetry = this.#failure !== undefined && isAsked;
    if (isRetry) {
      this.#end('full');
    }
    for (const role of this.#clients.keys()) {
      this.#handOn(role);
    }
    if (isRetry) {
      this.start(true);
    }
  }

  /** Says that there is nothing to tag after all. */
  giveUp(sentence: string): void {
    this.#requests.forget();
    for (const client of this.#clients.values()) {
      client.giveUp();
    }
    this.#events.failed(sentence, this.#failure !== undefined);
    if (this.#ready.size > 0) {
      this.#events.state('failed');
    }
    this.#serveSide();
  }

  /** Hands the photo on show to a model. */
  #handOn(role: Role): void {
    const { photo, shownId } = this.#requests;
    if (photo) {
      this.#clients.get(role)?.classify(shownId, { kind: 'file', file: photo });
      if (role === 'full') {
        this.#requests.handedOn();
      }
    }
  }

  /** Hands on the next of the photos beside the one on show, if it is their turn. */
  #serveSide(): void {
    const next = this.#ready.has('full') ? this.#requests.next() : undefined;
    if (next) {
      this.#clients.get('full')?.classify(next.id, next.photo);
    }
  }

  get #isPastPreview(): boolean {
    return this.#hasTagged || this.#hasPreviewFailed;
  }

  /** What the page is about as long as the full model has not tagged the last photo. */
  get #pendingState(): PageState {
    if (this.#previewedId === this.#requests.shownId) {
      return 'previewing';
    }
    if (this.#ready.size > 0 && this.#requests.hasPhoto) {
      return 'tagging';
    }
    return this.#ready.has('full') ? (this.#requests.isLive ? 'live' : 'ready') : 'loading';
  }

  /** @param afresh - Holds for the full model too where it follows the preview. */
  #begin(role: Role, files: ModelFiles, afresh: boolean): void {
    const isFull = role === 'full';
    const client = new WorkerClient(
      (message) => {
        // What a worker that was ended had still said is no longer of interest.
        if (client === this.#clients.get(role)) {
          this.#hear(message, role, client);
        }
      },
      {
        progress: (receivedBytes) => this.#events.progress(receivedBytes, files.weightBytes),
        interrupted: (isInterrupted) => this.#events.interrupted(isInterrupted),
        finished: (span) => {
          if (isFull) {
            this.#showStage('download', span);
          } else {
            this.#follow(afresh);
          }
        },
      },
    );
    this.#clients.set(role, client);
    const preference = isFull
      ? this.#preference
      : previewPreference(this.#preference, this.#offered);
    client.start(files, preference, {
      afresh,
      keep: isFull && keepsDownloads(),
      weightsAfter: this.#firstPaint,
      expectsPhoto: this.#requests.hasPhoto,
    });
    this.#handOn(role);
  }

  /** Lets the full model follow the preview. */
  #follow(afresh: boolean): void {
    if (!this.#clients.has('full')) {
      this.#events.progress(0, this.#model.weightBytes);
      this.#begin('full', this.#model, afresh);
    }
  }

  #end(role: Role): void {
    this.#clients.get(role)?.end();
    this.#clients.delete(role);
    this.#ready.delete(role);
    if (role === 'preview') {
      this.#previewedId = undefined;
    } else {
      this.#requests.side.abandon({ kind: 'lost' });
    }
  }

  #hear(message: FromWorker, role: Role, client: WorkerClient): void {
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
        this.#hasRefetched &&= role !== 'full';
        if (!this.#failure && this.#pendingState !== 'loading') {
          this.#events.state(this.#pendingState);
        }
        this.#serveSide();
        break;
      case 'tagged':
        this.#show(message, role);
        this.#serveSide();
        break;
      case 'passed-over':
        this.#requests.side.settle(message.id, { kind: 'lost' });
        this.#serveSide();
        break;
      case 'pixels-wanted':
        void this.#sendPixels(message, client);
        break;
      case 'refused':
        void this.#refuse(message.id, message.refusal);
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

  #show({ id, tagging, thumbnail }: Extract<FromWorker, { kind: 'tagged' }>, role: Role): void {
    this.#requests.side.settle(id, { kind: 'tagged', tagging, thumbnail });
    const isLast = id === this.#requests.shownId;
    const isUpgrade = isLast && role === 'full' && this.#previewedId === id;
    if (isLast) {
      this.#events.tagged(tagging, role);
    }
    if (role === 'full') {
      this.#requests.answered(id);
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
    const detail = backendFault(failure);
    const next = detail === null ? null : fallbackAfter(this.#preference, detail, this.#offered);
    if (next) {
      this.switchTo(next);
      return;
    }
    if (failure.code === 'damaged' && !this.#hasRefetched) {
      // It may have been the browser's copy of it, or a cache's on the way.
      this.#hasRefetched = true;
      this.start(true);
      return;
    }
    this.#ready.delete('full');
    this.#requests.side.abandon({ kind: 'failed' });
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
    const client = this.#clients.get('full');
    if (client && client !== this.#kept) {
      this.#kept = client;
      this.#hasTagged = true;
      void prepareSecondVisit(client.downloaded);
    }
  }

  async #sendPixels(
    { id, input }: Extract<FromWorker, { kind: 'pixels-wanted' }>,
    client: WorkerClient,
  ): Promise<void> {
    const file = this.#requests.file(id);
    if (!file) {
      return;
    }
    preloadFeatures();
    const { decodeForWorker } = await import('./decode-for-worker');
    const photo = await decodeForWorker(file, input);
    if (typeof photo === 'string') {
      void this.#refuse(id, photo);
    } else if (this.#requests.file(id)) {
      client.classify(id, photo);
    }
  }

  /** Answers for a photo that cannot be tagged, or says why. */
  async #refuse(id: number, refusal: Refusal): Promise<void> {
    if (this.#requests.side.settle(id, { kind: 'refused', refusal })) {
      this.#serveSide();
      return;
    }
    const file = this.#requests.file(id);
    const sentence = file && (await refusalSentence(file, refusal));
    // The preview's worker refuses it too.
    if (sentence && this.#requests.file(id)) {
      this.giveUp(sentence);
    }
  }
}
