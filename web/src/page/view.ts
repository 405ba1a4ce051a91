/** Shows a session in the document, and hands it what the visitor does there. */

import type { BackendName, Transfer } from '../messages';
import { AlertBox } from './alert-box';
import { clearBackend, showBackend } from './backend-line';
import type { BackendMemory } from './backend-memory';
import { BackendSwitch } from './backend-switch';
import { rememberedWish } from './backend-wish';
import { WORKER_URL } from './conversation';
import { element } from './elements';
import { say } from './language';
import { showState } from './page-state';
import { PartTable } from './part-table';
import { PhotoFrame } from './photo-frame';
import { takePhotos } from './photo-intake';
import { fetchSample, listenToSamples, type Sample, showThumbnails } from './samples';
import type { Session, SessionEvents } from './session';
import { absolute, type SiteFiles, type Variant } from './site-files';
import { StageChart } from './stage-chart';
import { StatusLine } from './status-line';
import { TagList } from './tag-list';
import { TransferCount, watchPageTransfers } from './transfers';
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
export function shown({
  session,
  files,
  variant,
  memory,
  offered,
  chosen,
}: Subject): SessionEvents {
  const samples = listenToSamples(document, (sample) => void tagSample(sample));

  const status = new StatusLine({
    text: element('#status', HTMLElement),
    amount: element('#amount', HTMLElement),
    bar: element('#download', HTMLProgressElement),
  });
  const frame = new PhotoFrame(element('#photo', HTMLElement));
  const tags = new TagList(element('#tags', HTMLOListElement), element('#timing', HTMLElement));
  const parts = new PartTable(element('#parts', HTMLTableElement));
  const stages = new StageChart(
    element('#stages', HTMLElement),
    element('#stages-end', HTMLElement),
  );
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

  const transfers = new TransferCount({
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
      session.switchTo(rememberedWish({ choice, race: memory.race }, offered));
    },
  );
  backendSwitch.show(chosen);

  const countOfWorker = (list: readonly Transfer[]): void => {
    transfers.add(list, 'worker');
    parts.show(transfers);
  };
  const variants = variant
    ? new VariantPanel(files.variants, variant, {
        choose: (other) => {
          alertBox.clear();
          tags.clear();
          session.take(other);
        },
        photo: () => session.photo,
        backend: () => (backend.dataset['backend'] as BackendName | undefined) ?? null,
        transfers: countOfWorker,
        failed: (sentence) => alertBox.show(sentence, false),
      })
    : undefined;

  const events: SessionEvents = {
    state: (state) => {
      showState(state);
      variants?.show(state);
      status.show(state);
      if (state === 'loading') {
        clearBackend(backend);
      } else if (state !== 'tagging' && state !== 'previewing') {
        showThumbnails(document);
      }
    },
    progress: (receivedBytes, totalBytes) => status.progress(receivedBytes, totalBytes),
    stage: (stage, span) => stages.show(stage, span),
    transfers: countOfWorker,
    backend: (report) => showBackend(backend, report),
    compared: (race) => {
      memory.race = race;
    },
    tagged: (tagging, role) => {
      frame.showCrop(tagging.view);
      tags.show(tagging, role);
    },
    upgraded: () => status.upgraded(),
    failed: (sentence, retry) => alertBox.show(sentence, retry),
  };

  /** Counts what was asked for, so that a sample that comes late does not come in between. */
  let asked = 0;

  function clear(): void {
    asked++;
    variants?.outdate();
    alertBox.clear();
    tags.clear();
  }

  function tag(file: Blob, alt: string): void {
    clear();
    frame.show(file, alt);
    session.tag(file);
  }

  async function tagSample(sample: Sample, isAsked = true): Promise<void> {
    clear();
    session.expect();
    const ticket = asked;
    try {
      const file = await fetchSample(sample);
      if (ticket === asked) {
        if (isAsked) {
          alertBox.clear();
        }
        frame.show(file, sample.alt);
        session.tag(file, isAsked);
      }
    } catch {
      if (ticket === asked) {
        frame.clear();
        session.giveUp(say('sampleFailed', { name: sample.alt }));
      }
    }
  }

  takePhotos(element('#file', HTMLInputElement), document.documentElement, {
    photo: (file) => tag(file, file.name || say('unnamedPhoto')),
    nothing: () => alertBox.show(say('noFileDropped'), false),
  });
  watchPageTransfers((list) => {
    transfers.add(list, 'page');
    parts.show(transfers);
  });
  // One photo is tagged unasked, so that a visitor sees at once what the page does.
  const [firstSample] = samples;
  if (firstSample) {
    void tagSample(firstSample, false);
  }
  return events;
}
