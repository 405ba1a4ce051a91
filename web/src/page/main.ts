/**
 * The page's entry: starts the session at once, and shows it when the document is parsed.
 *
 * The script is asynchronous, for the worker takes its time to start and needs nothing of
 * the document but the addresses on its first element.
 */

import './styles/index.css';

import { BackendMemory } from './backend-memory';
import { availableBackends } from './available-backends';
import { addressPreference, rememberedPreference } from './backend-preference';
import { preloadFeaturesWhenTouched } from './feature-preload';
import { firstPaint } from './first-paint';
import { Session } from './session';
import type { SessionEvents } from './session-events';
import { siteFiles } from './site-files';
import { addressedVariant } from './variant-choice';
import { shown } from './view';

const files = siteFiles(document.documentElement);
const variant = addressedVariant(files.variants, location.search);
// Of the first variant's contract whichever it is: all compute with the same floats.
const memory = new BackendMemory(() => localStorage, navigator.userAgent, files.contract);
const offered = availableBackends(window);
const addressed = addressPreference(location.search);

const session: Session = new Session(
  variant ?? files,
  files.preview,
  addressed ?? rememberedPreference(memory, offered),
  offered,
  firstPaint(),
  held(
    parsed().then(() => {
      const chosen = addressed?.backend ?? memory.choice;
      return shown({ session, files, variant, memory, offered, chosen });
    }),
  ),
);
if (files.hasSamples) {
  session.expect();
}
session.start();
preloadFeaturesWhenTouched();

/** Settles when all elements are there. */
async function parsed(): Promise<void> {
  if (document.readyState === 'loading') {
    await new Promise((resolve) => {
      document.addEventListener('DOMContentLoaded', resolve, { once: true });
    });
  }
}

/** Holds events back until there is somebody to show them. */
function held(view: Promise<SessionEvents>): SessionEvents {
  return {
    state: (state) => void view.then((its) => its.state(state)),
    progress: (received, total) => void view.then((its) => its.progress(received, total)),
    interrupted: (isInterrupted) => void view.then((its) => its.interrupted(isInterrupted)),
    stage: (stage, span) => void view.then((its) => its.stage(stage, span)),
    transfers: (transfers) => void view.then((its) => its.transfers(transfers)),
    backend: (report) => void view.then((its) => its.backend(report)),
    compared: (race) => void view.then((its) => its.compared(race)),
    tagged: (tagging, role) => void view.then((its) => its.tagged(tagging, role)),
    upgraded: () => void view.then((its) => its.upgraded()),
    failed: (sentence, retry) => void view.then((its) => its.failed(sentence, retry)),
  };
}
