"""The JavaScript that runs in a measured page.

A page can be measured if it

- shows the tags of a photo as `#tags li`,
- sets the list's `data-inference-ms` to the milliseconds of the inference, until another photo is
  requested, and
- tags a sample when its `button[data-sample]` is pressed.

Further data is optional: `data-model=preview` on the list while its tags come from a preview,
`data-backend`, stages with `data-end-ms` and `data-start-ms`, and an error message in a
`[role=alert] p` under `html[data-state=failed]`.
"""

WATCH = """
(() => {
  const seen = { firstTagMs: null, fullTagMs: null, longTasks: [] };
  globalThis.toolchainVisit = seen;
  new PerformanceObserver((list) => {
    seen.longTasks.push(...list.getEntries().map(({ duration }) => duration));
  }).observe({ type: 'longtask', buffered: true });
  seen.tagged = new Promise((resolve) => {
    const look = () => {
      const isTagged = document.querySelector('#tags li') !== null;
      const now = performance.now();
      if (isTagged) {
        seen.firstTagMs ??= now;
      }
      if (isTagged && document.querySelector('#tags').dataset.model !== 'preview') {
        seen.fullTagMs = now;
      } else if (document.documentElement?.dataset.state !== 'failed') {
        return;
      }
      observer.disconnect();
      resolve();
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { attributes: true, childList: true, subtree: true });
  });
})();
"""
"""Runs before the page's own scripts; records the first tags and the main thread's long tasks."""

FIRST_TAGS = """
async (deadlineMs) => {
  const late = new Promise((resolve) => setTimeout(() => resolve('late'), deadlineMs));
  const isLate = (await Promise.race([toolchainVisit.tagged, late])) === 'late';
  const { firstTagMs, fullTagMs } = toolchainVisit;
  const fault = isLate ? '' : document.querySelector('[role=alert] p')?.innerText ?? '';
  return { firstTagMs, fullTagMs, fault };
}
"""
"""Waits for the first tag of the full model, or for an error message."""

SERVICE_WORKER = """
async () => {
  const registration = await navigator.serviceWorker?.getRegistration();
  const worker = registration?.installing ?? registration?.waiting;
  if (!worker || worker.state === 'activated') {
    return;
  }
  await new Promise((resolve) => {
    setTimeout(resolve, 60_000);
    worker.addEventListener('statechange', () => {
      if (worker.state === 'activated' || worker.state === 'redundant') {
        resolve();
      }
    });
  });
}
"""
"""Waits until a service worker that is being installed is activated."""

TRANSFERS = """
() => ['navigation', 'resource']
  .flatMap((type) => performance.getEntriesByType(type))
  .filter(({ name }) => /^https?:/.test(name))
  .map(({ name, startTime, responseEnd, transferSize }) => ({
    url: name,
    start: performance.timeOrigin + startTime,
    end: performance.timeOrigin + responseEnd,
    bytes: transferSize,
  }))
"""
"""Lists the finished requests of a page or a worker, in milliseconds since the epoch.

`transferSize` is the size of the body as transferred plus 300 for the headers, or 0 if a cache
of the browser answered (Resource Timing, W3C).
"""

FACTS = """
() => ({
  longTasks: toolchainVisit.longTasks,
  backend: document.querySelector('[data-backend]')?.dataset.backend ?? null,
  tensors: document.querySelector('#tags')?.dataset.tensors ?? null,
  origin: performance.timeOrigin,
  stages: [...document.querySelectorAll('[data-stage][data-end-ms]')].map(({ dataset }) => [
    dataset.stage,
    // A stage without a start counts as an instant.
    Number(dataset.startMs ?? dataset.endMs),
    Number(dataset.endMs),
  ]),
})
"""
"""Returns the page's data about itself."""

TAG_AGAIN = """
async (times) => {
  const list = document.querySelector('#tags');
  const buttons = [...document.querySelectorAll('button[data-sample]')];
  const found = [];
  for (let turn = 0; buttons.length > 0 && turn < times; turn++) {
    const tagged = new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        const { inferenceMs } = list.dataset;
        if (inferenceMs !== undefined && list.children.length > 0) {
          observer.disconnect();
          resolve(Number(inferenceMs));
        }
      });
      observer.observe(list, { attributes: true, childList: true });
    });
    buttons[0].click();
    found.push(await tagged);
  }
  return found;
}
"""
"""Tags the first sample repeatedly, and returns the milliseconds of each inference."""
