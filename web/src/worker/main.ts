/** The worker's entry: listens to the page. */

import type { FromWorker, ToWorker } from '../messages';
import { failureOf } from './failure-error';
import { LatestOnly } from './latest-only';
import { canDecode, NotAPictureError } from './preprocess';
import { start, type Started } from './start';
import { timed, watchTransfers } from './timeline';

type StartOrder = Extract<ToWorker, { kind: 'start' }>;
type ClassifyOrder = Extract<ToWorker, { kind: 'classify' }>;

/** How long the visitor must leave the page alone before WebGL is tried. */
const IDLE_MS = 400;

const queue = new LatestOnly<ClassifyOrder>(classify);
let order: StartOrder | undefined;
let started: Started | undefined;
let hasTagged = false;
let idleTimer: ReturnType<typeof setTimeout> | undefined;

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  switch (data.kind) {
    case 'start':
      void begin(data);
      break;
    case 'classify':
      clearTimeout(idleTimer);
      queue.put(data);
      break;
  }
});

function post(message: FromWorker): void {
  postMessage(message);
}

async function begin(startOrder: StartOrder): Promise<void> {
  order = startOrder;
  watchTransfers((transfers) => post({ kind: 'transfers', transfers }));
  try {
    started = await start(startOrder, post);
  } catch (error) {
    post({ kind: 'failed', failure: failureOf(error) });
    return;
  }
  post({ kind: 'ready' });
  queue.open();
}

async function classify({ id, photo }: ClassifyOrder): Promise<void> {
  if (!started) {
    return;
  }
  const { tagger } = started;
  if (photo.kind === 'file' && !canDecode()) {
    post({ kind: 'pixels-wanted', id, input: tagger.input });
    return;
  }
  try {
    const tag = () => tagger.tag(photo, () => queue.hasNewer);
    const tagging = hasTagged
      ? await tag()
      : await timed('first-tag', (stage, span) => post({ kind: 'stage', stage, span }), tag);
    if (tagging) {
      hasTagged = true;
      post({ kind: 'tagged', id, tagging });
      idleTimer = setTimeout(improveBackend, IDLE_MS);
    }
  } catch (error) {
    post(
      error instanceof NotAPictureError
        ? { kind: 'refused', id }
        : { kind: 'failed', failure: failureOf(error) },
    );
  }
}

/** Tries WebGL, once, when the page has shown its first tags and nothing waits. */
function improveBackend(): void {
  const wish = order?.backend;
  if (!started || !wish || wish.kind === 'forced') {
    return;
  }
  order = undefined;
  const { engine, tagger, classifier, files } = started;
  void queue.between(async () => {
    if (!tagger.lastInput) {
      return;
    }
    const remembered = wish.kind === 'remembered' ? wish.choice : undefined;
    const outcome = await engine.tryWebgl(classifier, files, tagger.lastInput, remembered);
    tagger.settle(outcome.reason, outcome.webgl);
    if (outcome.choice) {
      post({ kind: 'compared', choice: outcome.choice });
    }
  });
}
