/** Brings photos and worker together, and keeps what is shown true to the last photo. */

import type {
  BackendReport,
  BackendWish,
  FromWorker,
  Race,
  Span,
  Stage,
  Tagging,
  Transfer,
} from '../messages';
import { Conversation } from './conversation';
import type { PageState } from './page-state';
import { keepsDownloads, prepareSecondVisit } from './second-visit';
import type { SiteFiles } from './site-files';
import { failureSentence, STRINGS } from './strings';

/** What the session tells the page. */
export interface SessionEvents {
  state(state: PageState): void;
  progress(receivedBytes: number, totalBytes: number): void;
  stage(stage: Stage, span: Span): void;
  transfers(transfers: readonly Transfer[]): void;
  backend(report: BackendReport): void;
  compared(race: Race): void;
  tagged(tagging: Tagging): void;
  /** @param retry - Whether starting anew may help. */
  failed(sentence: string, retry: boolean): void;
}

/** One visit to the page. */
export class Session {
  readonly #files: SiteFiles;
  readonly #wish: BackendWish;
  readonly #events: SessionEvents;
  #conversation: Conversation | undefined;
  #isReady = false;
  #isBroken = false;
  #isExpecting = false;
  #isPrepared = false;
  #photo: { readonly id: number; readonly file: Blob } | undefined;
  #lastId = 0;

  constructor(files: SiteFiles, wish: BackendWish, events: SessionEvents) {
    this.#files = files;
    this.#wish = wish;
    this.#events = events;
  }

  /** Starts the worker; after a failure anew, with the photo that was last given. */
  start(afresh = false): void {
    this.#conversation?.end();
    this.#isReady = false;
    this.#isBroken = false;
    this.#events.state('loading');
    const { weightBytes } = this.#files;
    const conversation = new Conversation(
      (message) => {
        // What a worker that was ended had still said is no longer of interest.
        if (conversation === this.#conversation) {
          this.#hear(message);
        }
      },
      {
        progress: (receivedBytes) => this.#events.progress(receivedBytes, weightBytes),
        finished: (span) => this.#events.stage('download', span),
      },
    );
    this.#conversation = conversation;
    conversation.start(this.#files, this.#wish, afresh, keepsDownloads());
    if (this.#photo) {
      conversation.classify(this.#photo.id, { kind: 'file', file: this.#photo.file });
    }
  }

  /** Says that a photo is on its way, so that those before it no longer count. */
  expect(): void {
    this.#lastId++;
    this.#photo = undefined;
    this.#isExpecting = true;
    if (this.#isReady) {
      this.#events.state('tagging');
    }
  }

  /** Tags a photo in place of every one before it, as soon as the model is there. */
  tag(file: Blob): void {
    this.expect();
    this.#isExpecting = false;
    this.#photo = { id: this.#lastId, file };
    if (this.#isBroken) {
      this.start(true);
    } else {
      this.#conversation?.classify(this.#lastId, { kind: 'file', file });
    }
  }

  /** Says that there is nothing to tag after all. */
  giveUp(sentence: string): void {
    this.#isExpecting = false;
    this.#photo = undefined;
    this.#events.failed(sentence, this.#isBroken);
    if (this.#isReady) {
      this.#events.state('failed');
    }
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case 'stage':
        this.#events.stage(message.stage, message.span);
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
        this.#isReady = true;
        this.#events.state(this.#photo || this.#isExpecting ? 'tagging' : 'ready');
        break;
      case 'tagged':
        if (message.id === this.#lastId) {
          this.#events.tagged(message.tagging);
          this.#events.state('tagged');
        }
        this.#prepareSecondVisit();
        break;
      case 'pixels-wanted':
        void this.#sendPixels(message);
        break;
      case 'refused':
        if (message.id === this.#lastId) {
          this.giveUp(STRINGS.notAPicture);
        }
        break;
      case 'failed':
        this.#isReady = false;
        this.#isBroken = true;
        this.#events.failed(failureSentence(message.failure), true);
        this.#events.state('failed');
        break;
    }
  }

  /** Once, when there are tags: it must not keep them waiting. */
  #prepareSecondVisit(): void {
    if (!this.#isPrepared && this.#conversation) {
      this.#isPrepared = true;
      void prepareSecondVisit(this.#conversation.downloaded);
    }
  }

  async #sendPixels({ id, input }: Extract<FromWorker, { kind: 'pixels-wanted' }>): Promise<void> {
    const file = this.#photo?.id === id ? this.#photo.file : undefined;
    if (!file) {
      return;
    }
    const { decodeForWorker } = await import('./decode-for-worker');
    try {
      const photo = await decodeForWorker(file, input);
      if (id === this.#lastId) {
        this.#conversation?.classify(id, photo);
      }
    } catch {
      if (id === this.#lastId) {
        this.giveUp(STRINGS.notAPicture);
      }
    }
  }
}
