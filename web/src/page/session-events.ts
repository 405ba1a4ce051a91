/** What a session tells the page; see `session.ts`. */

import type { BackendReport, Race, Span, Stage, Tagging, Transfer } from '../messages';
import type { PageState } from './page-state';
import type { Role } from './site-files';

/** What the session tells the page. */
export interface SessionEvents {
  state(state: PageState): void;
  progress(receivedBytes: number, totalBytes: number): void;
  /** The connection is lost, and the model is asked for again; or it is back. */
  interrupted(isInterrupted: boolean): void;
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
