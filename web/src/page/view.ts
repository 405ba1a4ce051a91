/** Shows a session in the document, and hands it what the visitor does there. */

import type { BackendName } from '../messages';
import { AlertBox } from './alert-box';
import { clearBackend, showBackend } from './backend-line';
import type { BackendMemory } from './backend-memory';
import { BackendSwitch } from './backend-switch';
import { rememberedPreference } from './backend-preference';
import { element } from './elements';
import { say } from './language';
import { LoadPanel } from './load-panel';
import { WORKER_URL } from './own-code';
import { showState } from './page-state';
import { PhotoFoot } from './photo-foot';
import { PhotoFrame } from './photo-frame';
import { listenToSources } from './photo-sources';
import { fetchSample, listenToSamples, type Sample, showThumbnails } from './samples';
import type { Session } from './session';
import type { SessionView } from './session-view';
import { absolute, type SiteFiles, type Variant } from './site-files';
import { StatusLine } from './status-line';
import { TagList } from './tag-list';
import { teachingWhenReady } from './teaching';
import { watchPageTransfers } from './transfers';
import { VariantPanel } from './variant-panel';

/** What is to be shown. */
export interface Subject {
  readonly session: Session;
  readonly files: SiteFiles;
  /** The one to begin with, where there are several. */
  readonly variant: Variant | undefined;
  readonly memory: BackendMemory;
  readonly offered: ReadonlySet<BackendName>;
  /** The backend that the address or the visitor has named. */
  readonly chosen: BackendName | null;
}

/** Takes hold of the document's elements; returns what shows the session's events in them. */
export function shown({ session, files, variant, memory, offered, chosen }: Subject): SessionView {
  const samples = listenToSamples(document, (sample) => void tagSample(sample));

  const foot = new PhotoFoot(document.querySelector('#photo-foot'));
  const status = new StatusLine({
    text: element('#status', HTMLElement),
    amount: element('#amount', HTMLElement),
    bar: element('#download', HTMLProgressElement),
    foot,
  });
  // It shows itself where no script comes to take it away.
  document.querySelector('#stalled')?.remove();
  const frame = new PhotoFrame(element('#photo', HTMLElement));
  frame.letMove((place) => session.move(place));
  const tags = new TagList({
    list: element('#tags', HTMLOListElement),
    timing: element('#timing', HTMLElement),
    unsure: document.querySelector('#unsure'),
    foot,
  });
  const backend = element('#backend', HTMLElement);
  const alertBox = new AlertBox(
    element('#alert', HTMLElement),
    element('#alert-text', HTMLElement),
    element('#retry', HTMLButtonElement),
    () => {
      alertBox.clear();
      session.start(true);
    },
  );

  const load = new LoadPanel(element('#load', HTMLElement), {
    worker: WORKER_URL,
    preview: new Set(files.preview && [files.preview.contract, ...files.preview.weights]),
    model: new Set(
      [files, ...files.variants].flatMap(({ contract, weights }) => [contract, ...weights]),
    ),
    photos: new Set(samples.map(({ url }) => absolute(url))),
  });

  const backendSwitch = new BackendSwitch(
    element('#backend-choice', HTMLSelectElement),
    offered,
    (choice) => {
      memory.choice = choice;
      alertBox.clear();
      tags.clear();
      session.switchTo(rememberedPreference({ choice, race: memory.race }, offered));
    },
  );
  backendSwitch.show(chosen);

  const variants = variant
    ? new VariantPanel(files.variants, variant, {
        choose: (other) => {
          alertBox.clear();
          tags.clear();
          session.take(other);
        },
        photo: () => session.photo,
        backend: () => (backend.dataset['backend'] as BackendName | undefined) ?? null,
        transfers: (list) => load.transfers(list, 'worker'),
        failed: (sentence) => alertBox.show(sentence, false),
      })
    : undefined;

  const teaching = teachingWhenReady(session);
  const events: SessionView = {
    state: (state) => {
      showState(state);
      teaching(state);
      variants?.show(state);
      status.show(state);
      if (state === 'loading') {
        clearBackend(backend);
        load.backend(null);
      } else if (state !== 'tagging' && state !== 'previewing') {
        showThumbnails(document);
      }
    },
    progress: (receivedBytes, totalBytes) => status.progress(receivedBytes, totalBytes),
    interrupted: (isInterrupted) => status.interrupted(isInterrupted),
    stage: (stage, span) => load.stage(stage, span),
    transfers: (list) => load.transfers(list, 'worker'),
    backend: (report) => {
      showBackend(backend, report);
      load.backend(report);
    },
    compared: (race) => {
      memory.race = race;
    },
    tagged: (tagging, role) => {
      const ticket = asked;
      if (role === 'full') {
        void framing?.then((messages) => messages?.tagged(tagging, ticket));
      }
      frame.showCrop(tagging.view);
      tags.show(tagging, role);
      load.tagged(tagging);
    },
    upgraded: () => status.upgraded(),
    failed: (sentence, retry) => {
      const ticket = asked;
      void framing?.then((messages) => messages?.failed(sentence, ticket));
      alertBox.show(sentence, retry);
    },
  };

  /** Counts what was asked for, so that a sample that comes late does not come in between. */
  let asked = 0;
  let coming: AbortController | undefined;

  function clear(): void {
    asked++;
    coming?.abort();
    endCamera();
    variants?.outdate();
    alertBox.clear();
    tags.clear();
  }

  function tag(file: Blob, alt: string): void {
    clear();
    frame.bringIntoView();
    frame.show(file, alt);
    session.tag(file);
  }

  async function tagComing(
    fetched: (signal: AbortSignal) => Promise<Blob>,
    alt: string,
    failed: (error: unknown) => string,
    isAsked = true,
  ): Promise<void> {
    clear();
    if (isAsked) {
      frame.bringIntoView();
    }
    session.expect();
    const ticket = asked;
    coming = new AbortController();
    try {
      const file = await fetched(coming.signal);
      if (ticket === asked) {
        if (isAsked) {
          alertBox.clear();
          frame.show(file, alt);
        }
        session.tag(file, isAsked);
      }
    } catch (error) {
      if (ticket === asked) {
        frame.clear();
        session.giveUp(failed(error));
      }
    }
  }

  function tagSample(sample: Sample, isAsked = true): Promise<void> {
    const failed = (): string => say('sampleFailed', { name: sample.alt });
    return tagComing(
      (signal) => fetchSample(sample, !isAsked, signal),
      sample.alt,
      failed,
      isAsked,
    );
  }

  const alert = (sentence: string): void => alertBox.show(sentence, false);
  const endCamera = listenToSources({ session, frame, tags, clear, tag, tagComing, alert });
  const { framedBy } = document.documentElement.dataset;
  // Where the code does not come, the page around this one hears nothing.
  const framing =
    framedBy && parent !== window
      ? import('./frame-messages').then(
          ({ exchangeMessages }) =>
            exchangeMessages(
              JSON.parse(framedBy) as string[],
              {
                tag: (photo, name) => tag(photo, name || say('unnamedPhoto')),
                ticket: () => asked,
              },
              window,
            ),
          () => undefined,
        )
      : undefined;
  watchPageTransfers((list) => load.transfers(list, 'page'));
  // The sample in the document is tagged at once, so that visitors see what the page does.
  const [firstSample] = samples;
  if (firstSample) {
    void tagSample(firstSample, false);
  }
  return events;
}
