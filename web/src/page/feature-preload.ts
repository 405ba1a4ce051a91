/** Preloads the code of features at the visitor's first interaction. */

import { siteDigests } from './site-digests';

/** Events that count as interaction; each comes before any listener that needs the code. */
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

/** Preloads them now, for this visit and, by the service worker, for later ones. */
export function preloadFeatures(): void {
  if (touched.signal.aborted) {
    return;
  }
  touched.abort();
  // There is no other way to have the browser check a digest for `import()`.
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
