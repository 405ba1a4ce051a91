"""Measures visits in Firefox and WebKitGTK, whose network and memory cannot be driven.

The page itself says when its first tag was there, and the host counts the bytes.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolchain.errors import BadInputError, ToolchainError
from toolchain.measurement import engines, probes
from toolchain.measurement.local_host import Served, serving
from toolchain.measurement.stage import TAGS, check_backend, with_backend
from toolchain.measurement.summary import spread
from toolchain.measurement.visit import SETTLED_MS
from toolchain.records.visit_figures import EngineVisits

if TYPE_CHECKING:
    from toolchain.measurement.stage import MeasureOptions
    from toolchain.progress import Progress

_FIRST_TAG = """
await new Promise((resolve, reject) => {
  const end = (sentence) => reject(new Error(sentence));
  const stage = '[data-stage=first-tag][data-end-ms]';
  const look = () => {
    const { state } = document.documentElement.dataset;
    if (state === 'failed') {
      end(document.querySelector('[role=alert] p')?.innerText);
    } else if (state === 'tagged' && document.querySelector(stage)) {
      resolve();
    }
  };
  const all = { attributes: true, childList: true, subtree: true };
  new MutationObserver(look).observe(document, all);
  setTimeout(() => end('there was no tag in time; allow more with --timeout'), LIMIT);
  look();
});
return {
  firstTagMs: Number(document.querySelector('[data-stage=first-tag]').dataset.endMs),
  backend: document.querySelector('[data-backend]')?.dataset.backend ?? 'unknown',
};
"""
_REST = f"""
await ({probes.SERVICE_WORKER})();
const found = await ({probes.TAG_AGAIN})(TIMES);
await new Promise((resolve) => setTimeout(resolve, {SETTLED_MS}));
return found;
"""


def measure(
    options: MeasureOptions, browser: engines.EngineName, *, progress: Progress
) -> EngineVisits:
    """Measure visits to a site that toolchain built.

    Args:
        options: What to measure; `chromium` and `energy` have no meaning here.
        browser: Where.
        progress: Advances with each first visit.

    Raises:
        BadInputError: There is no built site at that path, or the network was to be throttled.
        MissingToolError: Selenium or the browser is not installed.
        ToolchainError: The page showed no tag, or ran on another backend than requested.
    """
    if options.network.down_bits is not None:
        raise BadInputError(
            "only Chromium's network can be throttled; measure other browsers with --network none"
        )
    with ExitStack() as stack:
        if options.is_address:
            served = Served(options.site)
        else:
            served = stack.enter_context(serving(Path(options.site), options.host))
        url = served.url
        if options.backend != "auto":
            url = with_backend(url, options.backend)
        tracker = stack.enter_context(progress.track("Visiting", options.runs, "visits"))
        runs: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for _ in range(options.runs):
            with engines.started(browser, options.timeout + 60) as page:
                first, second = (_visit(page, url, options, served, tags) for tags in (TAGS, 0))
                runs.append((first, second))
                name = page.name
            tracker.advance(1)
    ran_on = str(runs[-1][0]["backend"])
    check_backend(ran_on, options)
    steady = [first["again"] for first, _ in runs if first["again"]]

    def bytes_of(place: int) -> int | None:
        known = [run[place]["bytes"] for run in runs]
        return None if options.is_address else round(statistics.median(known))

    return EngineVisits(
        browser=name,
        host=None if options.is_address else options.host,
        backend=options.backend,
        ran_on=ran_on,
        runs=len(runs),
        first_tag_ms=spread(first["firstTagMs"] for first, _ in runs),
        repeat_first_tag_ms=spread(second["firstTagMs"] for _, second in runs),
        first_bytes=bytes_of(0),
        repeat_bytes=bytes_of(1),
        inference_ms=spread(map(statistics.median, steady)) if steady else None,
    )


def _visit(
    page: engines.EnginePage, url: str, options: MeasureOptions, served: Served, tags: int
) -> dict[str, Any]:
    begun = len(served.answers)
    try:
        page.open(url)
        found: dict[str, Any] = page.run(
            _FIRST_TAG.replace("LIMIT", str(round(1000 * options.timeout)))
        )
        found["again"] = page.run(_REST.replace("TIMES", str(tags)))
    except ToolchainError as error:
        raise ToolchainError(f"{url} cannot be measured: {error}") from error
    found["bytes"] = sum(length for _, length in served.answers[begun:])
    return found
