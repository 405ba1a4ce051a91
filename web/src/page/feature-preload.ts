/** Brings the code of what visitors may do with the page, once one does more than look at it. */

import { siteDigests } from './site-digests';

/** What is no mere look; each comes before anything listens that needs the code. */
const TOUCHES = [
  'pointerdown',
  'keydown',
  'input',
  'change',
  'dragenter',
  'drop',
  'paste',
] as const;

const touched = new AbortController();

/** Waits for the first touch. */
export function preloadFeaturesWhenTouched(): void {
  for (const touch of TOUCHES) {
    addEventListener(touch, preloadFeatures, {
      capture: true,
      passive: true,
      signal: touched.signal,
    });
  }
}

/** Brings them now, for this visit and, by the service worker, for later ones. */
export function preloadFeatures(): void {
  if (touched.signal.aborted) {
    return;
  }
  touched.abort();
  // Nothing else lets `import()` take a script only if it is the one that was siteDigests.
  for (const [href, integrity] of siteDigests().features) {
    const link = document.createElement('link');
    link.rel = 'modulepreload';
    link.fetchPriority = 'low';
    link.href = href;
    link.integrity = integrity;
    document.head.append(link);
  }
  // The word stands in templates/sw.js.j2 too.
  void navigator.serviceWorker?.ready.then(({ active }) => active?.postMessage('touched'));
}
