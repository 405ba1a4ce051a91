/**
 * The page's entry: starts the session at once, and shows it when the document is parsed.
 *
 * The script is asynchronous, because starting the worker takes time and needs only the
 * addresses on the document's first element.
 */

import './styles/index.css';

import { BackendMemory } from './backend-memory';
import { availableBackends } from './available-backends';
import { addressPreference, rememberedPreference } from './backend-preference';
import { preloadFeatures, preloadFeaturesWhenTouched } from './feature-preload';
import { firstPaint } from './first-paint';
import { ownCode } from './own-code';
import { keepsDownloads, prepareSecondVisit } from './second-visit';
import { Session } from './session';
import { initialState } from './session-state';
import { siteFiles } from './site-files';
import { addressedVariant } from './variant-choice';
import { shown } from './view';
import { WorkerClient } from './worker-client';

const files = siteFiles(document.documentElement);
const variant = addressedVariant(files.variants, location.search);
// Keyed by the first variant's contract, because all variants compute with the same floats.
const memory = new BackendMemory(() => localStorage, navigator.userAgent, files.contract);
const offered = availableBackends(window);
const addressed = addressPreference(location.search);

const session: Session = new Session(
  initialState({
    model: variant ?? files,
    preview: files.preview,
    preference: addressed ?? rememberedPreference(memory, offered),
    offered,
  }),
  (hear, downloadEvents) => new WorkerClient(ownCode(), hear, downloadEvents),
  {
    weightsAfter: firstPaint(),
    keepsDownloads,
    keep: prepareSecondVisit,
    needsFeatures: preloadFeatures,
  },
  parsed().then(() => {
    const chosen = addressed?.backend ?? memory.choice;
    return shown({ session, files, variant, memory, offered, chosen });
  }),
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
