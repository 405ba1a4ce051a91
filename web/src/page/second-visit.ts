/** Makes the next visit work offline: the service worker keeps the site's files. */

import { absolute } from './site-files';

/**
 * Whether this visit's downloads are worth keeping for the service worker.
 *
 * It is not there on a host without TLS, and where it has answered it has the files.
 */
export function keepsDownloads(): boolean {
  return 'serviceWorker' in navigator && 'caches' in self && !navigator.serviceWorker.controller;
}

/**
 * Hands the files of this visit to the service worker and starts it, or lets it look for a
 * new version of the site.
 *
 * Whatever the browser refuses, such as storage in a private window, leaves the page as it is.
 *
 * @param downloaded - Whole answers by their absolute addresses; they are used up.
 */
export async function prepareSecondVisit(downloaded: ReadonlyMap<string, Response>): Promise<void> {
  if (!('serviceWorker' in navigator)) {
    return;
  }
  try {
    if (downloaded.size > 0) {
      // The name stands in templates/sw.js.j2 too.
      const cache = await caches.open(`toolchain ${absolute('./')}`);
      await Promise.all([...downloaded].map(([file, answer]) => cache.put(file, answer)));
    }
    // Registered at every visit, because that is how a new version is found; the host's caching
    // headers may limit how often.
    await navigator.serviceWorker.register(absolute('sw.js'), { updateViaCache: 'all' });
  } catch (error) {
    console.info('This page is not kept for later visits.', error);
  }
}
