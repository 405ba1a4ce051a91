/** What a session tells the page to show. */

import type { BackendReport, Race, Span, Stage, Tagging, Transfer } from '../messages';
import type { PageState } from './page-state';
import type { Role } from './site-files';

/** What the page is told, by name, with its arguments. */
export interface ViewCalls {
  readonly state: [state: PageState];
  readonly progress: [receivedBytes: number, totalBytes: number];
  /** The connection is lost and the files are requested again, or it is back. */
  readonly interrupted: [isInterrupted: boolean];
  readonly stage: [stage: Stage, span: Span];
  readonly transfers: [transfers: readonly Transfer[]];
  readonly backend: [report: BackendReport];
  readonly compared: [race: Race];
  readonly tagged: [tagging: Tagging, role: Role];
  /** The full model's tags have just replaced the preview's. */
  readonly upgraded: [];
  /** `retry`: whether starting again may help. */
  readonly failed: [sentence: string, retry: boolean];
}

/** Shows a session. */
export type SessionView = {
  readonly [Name in keyof ViewCalls]: (...args: ViewCalls[Name]) => void;
};

/** One call of a {@link SessionView}, as data. */
export type ViewCall<Name extends keyof ViewCalls = keyof ViewCalls> = {
  [Each in Name]: { readonly name: Each; readonly args: ViewCalls[Each] };
}[Name];

/** Makes a call. */
export function callView<Name extends keyof ViewCalls>(
  view: SessionView,
  { name, args }: ViewCall<Name>,
): void {
  view[name](...args);
}
