/** The page's entry: connects what the visitor does, the session, and what is shown. */

import './styles/index.css';

import { AlertBox } from './alert-box';
import { showBackend } from './backend-line';
import { backendWish, rememberRace } from './backend-wish';
import { WORKER_URL } from './conversation';
import { element } from './elements';
import { showState } from './page-state';
import { PartTable } from './part-table';
import { PhotoFrame } from './photo-frame';
import { takePhotos } from './photo-intake';
import { fetchSample, listenToSamples, type Sample, showThumbnails } from './samples';
import { Session } from './session';
import { absolute, siteFiles } from './site-files';
import { StageChart } from './stage-chart';
import { StatusLine } from './status-line';
import { sampleFailed, STRINGS } from './strings';
import { TagList } from './tag-list';
import { TransferCount, watchPageTransfers } from './transfers';

const RACE_KEY = 'toolchain.backend';

const files = siteFiles(document.documentElement);
const samples = listenToSamples(document, (sample) => void tagSample(sample));

const status = new StatusLine({
  text: element('#status', HTMLElement),
  amount: element('#amount', HTMLElement),
  bar: element('#download', HTMLProgressElement),
});
const frame = new PhotoFrame(element('#photo', HTMLElement));
const tags = new TagList(element('#tags', HTMLOListElement), element('#timing', HTMLElement));
const parts = new PartTable(element('#parts', HTMLTableElement));
const stages = new StageChart(element('#stages', HTMLElement), element('#stages-end', HTMLElement));
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
  model: new Set([files.contract, ...files.weights]),
  photos: new Set(samples.map(({ url }) => absolute(url))),
});

const session = new Session(files, backendWish(location.search, files.contract, RACE_KEY), {
  state: (state) => {
    showState(state);
    status.show(state);
    if (state !== 'loading') {
      showThumbnails(document);
    }
  },
  progress: (receivedBytes, totalBytes) => status.progress(receivedBytes, totalBytes),
  stage: (stage, span) => stages.show(stage, span),
  transfers: (list) => {
    transfers.add(list, 'worker');
    parts.show(transfers);
  },
  backend: (report) => showBackend(backend, report),
  compared: (race) => rememberRace(race, files.contract, RACE_KEY),
  tagged: (tagging) => {
    frame.showCrop(tagging.view);
    tags.show(tagging);
  },
  failed: (sentence, retry) => {
    tags.clear();
    alertBox.show(sentence, retry);
  },
});

/** Counts what was asked for, so that a sample that comes late does not come in between. */
let asked = 0;

function clear(): void {
  asked++;
  alertBox.clear();
  tags.clear();
}

function tag(file: Blob, alt: string): void {
  clear();
  frame.show(file, alt);
  session.tag(file);
}

async function tagSample(sample: Sample): Promise<void> {
  clear();
  session.expect();
  const ticket = asked;
  try {
    const file = await fetchSample(sample);
    if (ticket === asked) {
      tag(file, sample.alt);
    }
  } catch {
    if (ticket === asked) {
      frame.clear();
      session.giveUp(sampleFailed(sample.alt));
    }
  }
}

takePhotos(element('#file', HTMLInputElement), document.documentElement, {
  photo: (file) => tag(file, file.name || STRINGS.unnamedPhoto),
  nothing: () => alertBox.show(STRINGS.noFileDropped, false),
});
watchPageTransfers((list) => {
  transfers.add(list, 'page');
  parts.show(transfers);
});
session.start();

// One photo is tagged unasked, so that a visitor sees at once what the page does.
const [firstSample] = samples;
if (firstSample) {
  void tagSample(firstSample);
}
