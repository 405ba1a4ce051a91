/** Brings photos and worker together, and keeps what is shown true to the last photo. */

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
import { wishInstead } from './backend-wish';
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
  readonly #offered: ReadonlySet<BackendName>;
  readonly #events: SessionEvents;
  #wish: BackendWish;
  #conversation: Conversation | undefined;
  #isReady = false;
  #failure: Failure | undefined;
  #isExpecting = false;
  #hasTagged = false;
  #photo: { readonly id: number; readonly file: Blob } | undefined;
  #lastId = 0;

  /** @param offered - The backends that may stand in for one that the visitor chose. */
  constructor(
    files: SiteFiles,
    wish: BackendWish,
    offered: ReadonlySet<BackendName>,
    events: SessionEvents,
  ) {
    this.#files = files;
    this.#wish = wish;
    this.#offered = offered;
    this.#events = events;
  }

  /** Starts anew on another backend, with the photo that was last given. */
  switchTo(wish: BackendWish): void {
    this.#wish = wish;
    // The files are in the browser's cache, and are right unless one of them was what failed.
    this.start(this.#failure !== undefined && faultOfBackend(this.#failure) === null);
  }

  /** Starts the worker; after a failure anew, with the photo that was last given. */
  start(afresh = false): void {
    this.#conversation?.end();
    this.#isReady = false;
    this.#failure = undefined;
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
        finished: (span) => this.#showStage('download', span),
      },
    );
    this.#conversation = conversation;
    conversation.start(this.#files, this.#wish, {
      afresh,
      keep: !this.#hasTagged && keepsDownloads(),
      expectsPhoto: this.#isExpecting || this.#photo !== undefined,
    });
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
    if (this.#failure) {
      this.start(true);
    } else {
      this.#conversation?.classify(this.#lastId, { kind: 'file', file });
    }
  }

  /** Says that there is nothing to tag after all. */
  giveUp(sentence: string): void {
    this.#isExpecting = false;
    this.#photo = undefined;
    this.#conversation?.giveUp();
    this.#events.failed(sentence, this.#failure !== undefined);
    if (this.#isReady) {
      this.#events.state('failed');
    }
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case 'stage':
        this.#showStage(message.stage, message.span);
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
        this.#firstTagged();
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
        this.#fail(message.failure);
        break;
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
    this.#isReady = false;
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
  #firstTagged(): void {
    if (!this.#hasTagged && this.#conversation) {
      this.#hasTagged = true;
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
