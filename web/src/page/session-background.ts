/** The part of the session's reducer that is about photos in the background. */

import { type BackgroundAnswer, takeNext } from './requests';
import { change, changeRequests, classify, type Step } from './session-step';

/** Hands over the next background photo, if the full model is ready and it is its turn. */
export function serveBackground(step: Step): Step {
  const { requests, clients } = step.state;
  const { full } = clients;
  const next = full?.isReady ? takeNext(requests) : requests;
  if (!full || !next.asked || next === requests) {
    return step;
  }
  return classify(change(step, { requests: next }), full.id, next.asked.id, next.asked.photo);
}

/** Takes a photo out of the queue; one that the worker has stays with it. */
export function withdraw(step: Step, key: number): Step {
  const { waiting } = step.state.requests;
  const photo = waiting.find((queued) => queued.key === key)?.photo;
  const others = changeRequests(step, { waiting: waiting.filter((queued) => queued.key !== key) });
  const closed =
    photo?.kind === 'frame' ? change(others, {}, { kind: 'close', picture: photo.frame }) : others;
  return change(closed, {}, { kind: 'answer', key, answer: { kind: 'lost' } });
}

/** Answers for the background photo that the worker has, if it has this id. */
export function settle(step: Step, id: number, answer: BackgroundAnswer): Step {
  const { asked } = step.state.requests;
  if (asked?.id === id) {
    return change(
      changeRequests(step, { asked: null }),
      {},
      { kind: 'answer', key: asked.key, answer },
    );
  }
  return answer.kind === 'tagged' && answer.thumbnail
    ? change(step, {}, { kind: 'close', picture: answer.thumbnail })
    : step;
}

/** Answers for a worker that will not. */
export function abandon(step: Step, kind: 'lost' | 'failed'): Step {
  const { asked } = step.state.requests;
  return asked ? settle(step, asked.id, { kind }) : step;
}
