/** Tells when the page has been painted: large downloads wait for that. */

/**
 * Settles when the page has been painted, with its photo where that has come by then.
 *
 * In a hidden window nothing is painted. And where the service worker answers, the files are
 * there already: nothing that is painted has to share a link with them.
 */
export async function firstPaint(): Promise<void> {
  if (!navigator.serviceWorker?.controller) {
    await Promise.race([hidden(), painted()]);
  }
}

async function painted(): Promise<void> {
  // There is no frame before the style sheet has come.
  await nextFrame();
  // When this one is asked for, the one before is on its way to the screen.
  await nextFrame();
}

async function nextFrame(): Promise<void> {
  await new Promise((resolve) => {
    requestAnimationFrame(resolve);
  });
}

async function hidden(): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (document.visibilityState === 'hidden') {
        resolve();
      }
    };
    document.addEventListener('visibilitychange', look);
    look();
  });
}
