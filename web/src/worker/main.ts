/** The worker's entry: listens to the page. */

import type { InputSpec } from '../contract';
import type { Failure, FromWorker, ToWorker } from '../messages';
import { AlteredPixelsError } from '../photo/read-crop';
import { failureOf } from './failure-error';
import { tryGpus } from './gpu-trial';
import { Incoming } from './incoming-files';
import { LatestOnly } from './latest-only';
import { canDecode, NotAPictureError, type PreparedPhoto, preparedPhoto } from './preprocess';
import { start, type Started } from './start';
import { timed, watchTransfers } from './timeline';

type StartOrder = Extract<ToWorker, { kind: 'start' }>;
type ClassifyOrder = Extract<ToWorker, { kind: 'classify' }>;

/** How long the visitor must leave the page alone before the graphics processor is tried. */
const IDLE_MS = 400;

const incoming = new Incoming((file, content) => post({ kind: 'whole', file, content }));
const queue = new LatestOnly<ClassifyOrder>(classify);
let order: StartOrder | undefined;
let started: Started | undefined;
let hasTagged = false;
/** The photo that was given last, until the model is there. */
let early: ClassifyOrder | undefined;
let decidePhoto: (() => void) | undefined;
/** Settles when the first photo has been given, or will not be. */
const photoDecided = new Promise<void>((resolve) => {
  decidePhoto = resolve;
});
/** How the model wants its photos, once that is known. */
let wanted: InputSpec | undefined;
/** What was last made ready. */
let prepared: { readonly order: ClassifyOrder; readonly photo: Promise<PreparedPhoto> } | undefined;
let idleTimer: ReturnType<typeof setTimeout> | undefined;

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  switch (data.kind) {
    case 'start':
      void begin(data);
      break;
    case 'piece':
    case 'complete':
    case 'compiled':
      incoming.take(data);
      break;
    case 'no-photo':
      decidePhoto?.();
      break;
    case 'classify':
      clearTimeout(idleTimer);
      if (!started) {
        early = data;
        decidePhoto?.();
        void earlyPhoto();
      }
      passOver(queue.put(data));
      break;
  }
});

post({ kind: 'listening' });

function post(message: FromWorker, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}

/** Skips a photo, because a newer one has come. */
function passOver(given: ClassifyOrder | undefined): void {
  if (given) {
    if (given.photo.kind === 'frame') {
      given.photo.frame.close();
    }
    post({ kind: 'passed-over', id: given.id });
  }
}

async function begin(startOrder: StartOrder): Promise<void> {
  order = startOrder;
  watchTransfers((transfers) => post({ kind: 'transfers', transfers }));
  try {
    started = await start(startOrder, incoming, post, {
      agreed: ({ input }) => {
        wanted = input;
        void earlyPhoto();
      },
      firstPhoto: async (isLast) => {
        if (isLast && startOrder.expectsPhoto) {
          await photoDecided;
        }
        return earlyPhoto();
      },
    });
  } catch (error) {
    post({ kind: 'failed', failure: await causeOf(failureOf(error), startOrder) });
    return;
  }
  early = undefined;
  post({ kind: 'ready', labels: started.tagger.labels });
  queue.open();
}

/** Returns the cause of a failed start: a damaged file, if there is one. */
async function causeOf(failure: Failure, { files }: StartOrder): Promise<Failure> {
  const isOfFiles = failure.code !== 'backend' && failure.code !== 'damaged';
  return (isOfFiles && (await incoming.damageIn([files.contract, ...files.weights]))) || failure;
}

function prepare(given: ClassifyOrder, input: InputSpec): Promise<PreparedPhoto> {
  if (prepared?.order !== given) {
    prepared = { order: given, photo: preparedPhoto(given.photo, input) };
  }
  return prepared.photo;
}

/** Makes the photo ready that has been given so far, while the model is still on its way. */
async function earlyPhoto(): Promise<PreparedPhoto | null> {
  if (!early || !wanted || !canDecode(early.photo)) {
    return null;
  }
  // What is wrong with it is said when its turn comes.
  return prepare(early, wanted).catch(() => null);
}

async function classify(given: ClassifyOrder): Promise<void> {
  if (!started) {
    return;
  }
  const { id, photo } = given;
  const { tagger } = started;
  if (!canDecode(photo)) {
    post({ kind: 'pixels-wanted', id, input: tagger.input });
    return;
  }
  const tag = async (): Promise<Extract<FromWorker, { kind: 'tagged' }> | null> => {
    const ready = await prepare(given, tagger.input);
    const { thumbnail } = ready;
    if (queue.hasNewer) {
      thumbnail?.close();
      return null;
    }
    try {
      return { kind: 'tagged', id, tagging: await tagger.tag(ready, photo.choice), thumbnail };
    } catch (error) {
      thumbnail?.close();
      throw error;
    }
  };
  try {
    const answer = hasTagged
      ? await tag()
      : await timed('first-tag', (stage, span) => post({ kind: 'stage', stage, span }), tag);
    if (answer) {
      hasTagged = true;
      post(answer, answer.thumbnail ? [answer.thumbnail] : []);
      idleTimer = setTimeout(improveBackend, IDLE_MS);
    } else {
      passOver(given);
    }
  } catch (error) {
    if (error instanceof NotAPictureError) {
      post({ kind: 'refused', id, refusal: 'not-a-picture' });
    } else if (!(error instanceof AlteredPixelsError)) {
      post({ kind: 'failed', failure: failureOf(error) });
    } else if (photo.kind === 'file') {
      // The page may have permissions that its worker lacks; only a page can ask the visitor.
      post({ kind: 'pixels-wanted', id, input: tagger.input });
    } else {
      post({ kind: 'refused', id, refusal: 'altered-pixels' });
    }
  }
}

/** Tries the graphics processor, once, when the page has shown its first tags and nothing waits. */
function improveBackend(): void {
  const preference = order?.backend;
  if (!started || !preference || preference.kind === 'forced') {
    return;
  }
  order = undefined;
  const { tagger, classifier, files } = started;
  void queue.between(async () => {
    if (!tagger.lastInput) {
      return;
    }
    const remembered = preference.kind === 'remembered' ? preference.race : undefined;
    const outcome = await tryGpus(classifier, files, tagger.lastInput, remembered);
    tagger.settle(outcome.reason, outcome.better);
    if (outcome.reason.code === 'measured') {
      const { first, firstMs, gpu, gpuMs } = outcome.reason;
      post({ kind: 'compared', race: { first, firstMs, gpu, gpuMs } });
    }
  });
}
