/** What the session's reducer is composed of. */

import type { Photo } from '../messages';
import type { Requests } from './requests';
import type { Effect, SessionState } from './session-state';
import type { ViewCalls } from './session-view';

/** A state, and what is to be done on the way to it, in this order. */
export interface Step {
  readonly state: SessionState;
  readonly effects: readonly Effect[];
}

/** Hands a photo to a client. */
export function classify(step: Step, client: number, id: number, photo: Photo): Step {
  return change(step, {}, { kind: 'classify', client, id, photo });
}

/** Tells the page something. */
export function tell<Name extends keyof ViewCalls>(
  step: Step,
  name: Name,
  ...args: ViewCalls[Name]
): Step {
  return change(step, {}, { kind: 'view', name, args } as Effect);
}

/** Changes what is to be tagged. */
export function changeRequests(step: Step, changes: Partial<Requests>): Step {
  return change(step, { requests: { ...step.state.requests, ...changes } });
}

/** Changes the state and adds effects. */
export function change(
  step: Step,
  changes: Partial<SessionState>,
  ...effects: readonly Effect[]
): Step {
  return { state: { ...step.state, ...changes }, effects: [...step.effects, ...effects] };
}
