/**
 * Decides what follows from what happens in a session. Pure: `session.ts` carries out the effects.
 *
 * On a first visit a preview, if the site has one, answers until the full model can: the full
 * model starts when the preview's files have arrived, both get the photos, and the preview ends
 * with the full model's first tags.
 */

import type { Failure, FromWorker, Photo, Refusal, Span, Stage } from '../messages';
import { backendFault, fallbackAfter, previewPreference } from './backend-preference';
import type { PageState } from './page-state';
import type { CropPlace } from '../photo/crop';
import { fileOf, forget, hasPhoto, move, replace, show } from './requests';
import { failureSentence } from './sentences';
import { abandon, serveBackground, settle, withdraw } from './session-background';
import type { Effect, SessionEvent, SessionState } from './session-state';
import { change, changeRequests, classify, type Step, tell } from './session-step';
import type { ModelFiles, Role } from './site-files';

const ROLES = ['preview', 'full'] as const satisfies readonly Role[];

/** Returns what follows from an event. */
export function reduce(state: SessionState, event: SessionEvent): Step {
  const step: Step = { state, effects: [] };
  switch (event.kind) {
    case 'start':
      return start(step, event.bypassCache);
    case 'switch-backend':
      return restart(change(step, { preference: event.preference }));
    case 'switch-variant':
      return restart(change(step, { model: event.model }));
    case 'expect':
      return expectPhoto(step);
    case 'go-live':
      return goLive(step);
    case 'recover':
      return recover(step);
    case 'tag':
      return tag(step, event.file, event.isAsked);
    case 'move':
      return moveCrop(step, event.place);
    case 'give-up':
      return giveUp(step, event.sentence);
    case 'ask': {
      const { key, photo } = event;
      return serveBackground(
        changeRequests(step, { waiting: [...state.requests.waiting, { key, photo }] }),
      );
    }
    case 'withdraw':
      return withdraw(step, event.key);
    case 'explained':
      return fileOf(state.requests, event.id) ? giveUp(step, event.sentence) : step;
    case 'message':
    case 'downloaded':
    case 'decoded': {
      // What a client had sent before it was ended no longer matters.
      const role = ROLES.find((each) => state.clients[each]?.id === event.client);
      return role ? fromClient(step, event, role) : step;
    }
  }
}

type FromClient = Extract<SessionEvent, { client: number }>;

function fromClient(step: Step, event: FromClient, role: Role): Step {
  switch (event.kind) {
    case 'message':
      return hear(step, event.message, role, event.client);
    case 'downloaded':
      return role === 'full'
        ? showStage(step, 'download', event.span)
        : startFull(step, step.state.clients.preview?.bypassCache ?? false);
    case 'decoded':
      return decoded(step, event.client, event.id, event.result);
  }
}

function hear(step: Step, message: FromWorker, role: Role, client: number): Step {
  const isFull = role === 'full';
  switch (message.kind) {
    case 'stage':
      if (isFull) {
        return showStage(step, message.stage, message.span);
      }
      return message.stage === 'first-tag' ? showStage(step, 'preview', message.span) : step;
    case 'transfers':
      return tell(step, 'transfers', message.transfers);
    case 'backend':
      return tell(step, 'backend', message.report);
    case 'compared':
      return tell(step, 'compared', message.race);
    case 'ready':
      return ready(step, role);
    case 'tagged':
      return serveBackground(tagged(step, message, role));
    case 'passed-over':
      return serveBackground(settle(step, message.id, { kind: 'lost' }));
    case 'pixels-wanted':
      return wantPixels(step, message, client);
    case 'refused':
      return refuse(step, message.id, message.refusal);
    case 'failed':
      return isFull ? fail(step, message.failure) : dropPreview(step, message.failure);
    case 'listening':
    case 'whole':
      return step;
  }
}

// --- clients -----------------------------------------------------------------------------------

/** Starts the model, after a failure again, with the photo that was last given. */
function start(step: Step, bypassCache: boolean): Step {
  const ended = change(endClient(step, 'full'), { failure: null });
  const { preview, clients, model, hasTagged, hasPreviewFailed } = ended.state;
  const isPreviewFirst = preview && !clients.preview && !hasTagged && !hasPreviewFailed;
  return tellPendingState(
    isPreviewFirst
      ? startClient(ended, 'preview', preview, bypassCache)
      : startClient(ended, 'full', model, bypassCache),
  );
}

function restart(step: Step): Step {
  const { failure } = step.state;
  // The files are in the browser's cache, and are right unless one of them was what failed.
  return start(endClient(step, 'preview'), failure !== null && backendFault(failure) === null);
}

function recover(step: Step): Step {
  return step.state.failure ? start(step, true) : step;
}

/** Starts the full model after the preview's files. */
function startFull(step: Step, bypassCache: boolean): Step {
  const { clients, model } = step.state;
  return clients.full
    ? step
    : startClient(tell(step, 'progress', 0, model.weightBytes), 'full', model, bypassCache);
}

function startClient(step: Step, role: Role, files: ModelFiles, bypassCache: boolean): Step {
  const { preference, offered, requests, clients, lastClient } = step.state;
  const id = lastClient + 1;
  const started = change(
    step,
    { lastClient: id, clients: { ...clients, [role]: { id, isReady: false, bypassCache } } },
    {
      kind: 'start-client',
      role,
      client: id,
      files,
      preference: role === 'full' ? preference : previewPreference(preference, offered),
      bypassCache,
      expectsPhoto: hasPhoto(requests),
    },
  );
  return handOver(started, role);
}

function endClient(step: Step, role: Role): Step {
  const { [role]: client, ...others } = step.state.clients;
  const effects: readonly Effect[] = client ? [{ kind: 'end-client', client: client.id }] : [];
  const ended = change(step, { clients: others }, ...effects);
  return role === 'preview' ? change(ended, { previewedId: null }) : abandon(ended, 'lost');
}

function ready(step: Step, role: Role): Step {
  const now = change(setReady(step, role, true), {
    hasRefetched: step.state.hasRefetched && role !== 'full',
  });
  const isShown = !now.state.failure && pendingState(now.state) !== 'loading';
  return serveBackground(isShown ? tellPendingState(now) : now);
}

function setReady(step: Step, role: Role, isReady: boolean): Step {
  const { clients } = step.state;
  const client = clients[role];
  return client ? change(step, { clients: { ...clients, [role]: { ...client, isReady } } }) : step;
}

function fail(step: Step, failure: Failure): Step {
  const { preference, offered, hasRefetched } = step.state;
  const detail = backendFault(failure);
  const fallback = detail === null ? null : fallbackAfter(preference, detail, offered);
  if (fallback) {
    return restart(change(step, { preference: fallback }));
  }
  if (failure.code === 'damaged' && !hasRefetched) {
    // The browser's copy may have been damaged, or that of a cache on the way.
    return start(change(step, { hasRefetched: true }), true);
  }
  const failed = change(setReady(step, 'full', false), { failure });
  return tell(
    tell(abandon(failed, 'failed'), 'failed', failureSentence(failure), true),
    'state',
    'failed',
  );
}

/** Goes on without the preview, and says nothing about it: the full model is coming. */
function dropPreview(step: Step, failure: Failure): Step {
  const dropped = change(
    step,
    { hasPreviewFailed: true },
    { kind: 'log', text: 'The page does without its preview.', detail: failure },
  );
  const followed = startFull(endClient(dropped, 'preview'), false);
  return followed.state.failure ? followed : tellPendingState(followed);
}

// --- the photo on show -------------------------------------------------------------------------

function expectPhoto(step: Step): Step {
  const expecting = change(step, { requests: replace(step.state.requests, 'expected') });
  return isAnyReady(expecting.state) ? tell(expecting, 'state', 'tagging') : expecting;
}

function goLive(step: Step): Step {
  const live = change(step, { requests: replace(step.state.requests, 'live') });
  return tellPendingState(recover(tellClientsNoPhoto(live)));
}

function tag(step: Step, file: Blob, isAsked: boolean): Step {
  const expecting = expectPhoto(step);
  const showing = change(expecting, { requests: show(expecting.state.requests, file) });
  if (showing.state.failure && isAsked) {
    return start(handOver(endClient(showing, 'full'), 'preview'), true);
  }
  return ROLES.reduce(handOver, showing);
}

/** Looks at another part of the photo on show. */
function moveCrop(step: Step, place: CropPlace): Step {
  const { requests, failure } = step.state;
  if (!requests.photo || failure) {
    return step;
  }
  const moved = change(step, { requests: move(requests, place) });
  return ROLES.reduce(handOver, isAnyReady(moved.state) ? tell(moved, 'state', 'tagging') : moved);
}

function giveUp(step: Step, sentence: string): Step {
  const { requests, failure } = step.state;
  const forgotten = tellClientsNoPhoto(change(step, { requests: forget(requests) }));
  const told = tell(forgotten, 'failed', sentence, failure !== null);
  return serveBackground(isAnyReady(step.state) ? tell(told, 'state', 'failed') : told);
}

/** Hands the photo on show to a model, if both are there. */
function handOver(step: Step, role: Role): Step {
  const { photo, place, shownId } = step.state.requests;
  const client = step.state.clients[role];
  if (!photo || !client) {
    return step;
  }
  const handed = role === 'full' ? changeRequests(step, { isAnswerDue: true }) : step;
  return classify(handed, client.id, shownId, {
    kind: 'file',
    file: photo,
    ...(place && { place }),
  });
}

function tagged(
  step: Step,
  { id, tagging, thumbnail }: Extract<FromWorker, { kind: 'tagged' }>,
  role: Role,
): Step {
  const { requests, previewedId } = step.state;
  const isFull = role === 'full';
  const isLast = id === requests.shownId;
  const isUpgrade = isLast && isFull && previewedId === id;
  let next = settle(step, id, { kind: 'tagged', tagging, thumbnail });
  if (isLast) {
    next = tell(next, 'tagged', tagging, role);
  }
  if (isFull) {
    next = isLast ? changeRequests(next, { isAnswerDue: false }) : next;
    next = keepDownloads(endClient(next, 'preview'));
  } else if (isLast) {
    next = change(next, { previewedId: id });
  }
  // The preview's tags do not mend what went wrong with the full model.
  if (isLast && !next.state.failure) {
    next = tell(next, 'state', isFull ? 'tagged' : 'previewing');
  }
  return isUpgrade ? tell(next, 'upgraded') : next;
}

/** Prepares the second visit once there are tags: it must not delay them. */
function keepDownloads(step: Step): Step {
  const { clients, keptClient } = step.state;
  const client = clients.full?.id;
  return client === undefined || client === keptClient
    ? step
    : change(step, { keptClient: client, hasTagged: true }, { kind: 'keep-downloads', client });
}

function wantPixels(
  step: Step,
  { id, input }: Extract<FromWorker, { kind: 'pixels-wanted' }>,
  client: number,
): Step {
  const { requests } = step.state;
  const file = fileOf(requests, id);
  const place = id === requests.shownId ? requests.place : undefined;
  return file ? change(step, {}, { kind: 'decode', client, id, file, input, place }) : step;
}

function decoded(step: Step, client: number, id: number, result: Photo | Refusal): Step {
  if (typeof result === 'string') {
    return refuse(step, id, result);
  }
  const { requests } = step.state;
  const choice = requests.asked?.id === id ? requests.asked.photo.choice : undefined;
  return fileOf(requests, id)
    ? classify(step, client, id, choice ? { ...result, choice } : result)
    : step;
}

/** Answers for a photo that cannot be tagged, or has it explained. */
function refuse(step: Step, id: number, refusal: Refusal): Step {
  const { requests } = step.state;
  if (requests.asked?.id === id) {
    return serveBackground(settle(step, id, { kind: 'refused', refusal }));
  }
  const file = fileOf(requests, id);
  return file ? change(step, {}, { kind: 'explain', id, file, refusal }) : step;
}

// --- what is shown meanwhile -------------------------------------------------------------

/** What the page shows until the full model has tagged the last photo. */
function pendingState({ requests, clients, previewedId }: SessionState): PageState {
  if (previewedId === requests.shownId) {
    return 'previewing';
  }
  if ((clients.preview?.isReady || clients.full?.isReady) && hasPhoto(requests)) {
    return 'tagging';
  }
  if (!clients.full?.isReady) {
    return 'loading';
  }
  return requests.inPlace === 'live' ? 'live' : 'ready';
}

function isAnyReady({ clients }: SessionState): boolean {
  return ROLES.some((role) => clients[role]?.isReady);
}

function tellPendingState(step: Step): Step {
  return tell(step, 'state', pendingState(step.state));
}

/** The stages lead from the click on a link to the first tags; a later start is not among them. */
function showStage(step: Step, stage: Stage, span: Span): Step {
  return step.state.hasTagged ? step : tell(step, 'stage', stage, span);
}

function tellClientsNoPhoto(step: Step): Step {
  const clients = ROLES.flatMap((role) => step.state.clients[role]?.id ?? []);
  return change(step, {}, ...clients.map((client) => ({ kind: 'no-photo', client }) as const));
}
