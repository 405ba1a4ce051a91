"""Measures first and repeated visits to a site."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit, urlunsplit

from toolchain.errors import ToolchainError
from toolchain.measurement import browser as browsers
from toolchain.measurement.energy import Meter
from toolchain.measurement.local_host import Served, serving
from toolchain.measurement.memory import resident_memory
from toolchain.measurement.summary import figures, p90, path_of, spread
from toolchain.measurement.visit import Visit, from_host, visit
from toolchain.records import visit_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from playwright.sync_api import Browser

    from toolchain.progress import Progress
    from toolchain.throttling import Link

Backend = Literal["auto", "wasm", "webgl", "webgpu", "cpu"]
BACKENDS: tuple[Backend, ...] = ("auto", "wasm", "webgl", "webgpu", "cpu")
BROWSERS: tuple[Literal["chromium", "firefox", "webkit"], ...] = ("chromium", "firefox", "webkit")
HOSTS: tuple[visit_figures.Host, ...] = ("toolchain", "plain")

TAGS = 20
"""How many photos are tagged after the first, for the steady inference; chosen, not measured."""


@dataclass(frozen=True)
class MeasureOptions:
    """What to measure and how."""

    site: str
    """Folder of a built site, or the address of a page."""
    network: Link
    backend: Backend = "auto"
    host: visit_figures.Host = "toolchain"
    """How a folder is served."""
    runs: int = 5
    """Number of first visits, each followed by a repeated one."""
    timeout: float = 300.0
    """Seconds to wait for a visit's first tag."""
    chromium: Path | None = None
    memory: bool = False
    """Whether to measure the resident memory too, in a visit of its own; that takes minutes."""
    energy: bool = False
    """Whether to read the browser's CPU time too, and the processor's energy."""

    @property
    def is_address(self) -> bool:
        """Whether the site is given by an address instead of a folder."""
        return self.site.startswith(("http://", "https://"))


@dataclass(frozen=True)
class Run:
    """A first visit and a repeated one."""

    first: Visit
    repeat: Visit


def measure(options: MeasureOptions, *, progress: Progress) -> visit_figures.Measurement:
    """Measure visits to a site in Chromium.

    Raises:
        BadInputError: There is no built site at that path.
        MissingToolError: Playwright or Chromium is not installed.
        ToolchainError: The page showed no tag, or ran on another backend than requested.
    """
    if options.is_address:
        return _measured(options, Served(options.site), None, progress)
    with serving(Path(options.site), options.host) as served:
        return _measured(options, served, options.host, progress)


def run_once(
    browser: Browser,
    served: Served,
    network: Link,
    *,
    tags: int = TAGS,
    timeout: float = 300.0,
    meter: Meter | None = None,
) -> Run:
    """Visit a page as a new visitor, and then again as the same visitor.

    Raises:
        ToolchainError: The page showed no tag.
    """
    context = browser.new_context()
    try:
        visits = []
        for more in (tags, 0):
            begun = len(served.answers)
            seen = visit(context, served.url, network, tags=more, timeout=timeout, meter=meter)
            visits.append(_with_all_served(seen, served, begun))
        return Run(*visits)
    finally:
        context.close()


def summarise(
    runs: Sequence[Run],
    served: Served,
    options: MeasureOptions,
    host: visit_figures.Host | None,
    name: str,
) -> visit_figures.Measurement:
    """Summarise at least one run in a record; `name` is the browser's."""
    steady = [run.first.inference_ms for run in runs if run.first.inference_ms]
    firsts, repeats = [run.first for run in runs], [run.repeat for run in runs]
    return visit_figures.Measurement(
        network=options.network,
        host=host,
        backend=options.backend,
        ran_on=firsts[-1].backend or "unknown",
        browser=name,
        runs=len(runs),
        first=figures(firsts, served.url, options.network),
        repeat=figures(repeats, served.url, options.network),
        repeat_ratio=spread(run.repeat.first_tag_ms / run.first.first_tag_ms for run in runs),
        inference_ms=spread(map(statistics.median, steady)) if steady else None,
        inference_p90_ms=spread(map(p90, steady)) if steady else None,
        heap_bytes=round(statistics.median(visit.heap_bytes for visit in firsts)),
        buffer_bytes=round(statistics.median(visit.buffer_bytes for visit in firsts)),
        tensors=firsts[-1].tensors,
        cost=_cost(firsts) if options.energy else None,
    )


def with_backend(url: str, backend: Backend) -> str:
    """Return a page's address with a backend in its query.

    Args:
        url: The address; it may already have a query, even with a backend, and a fragment.
        backend: Any but `auto`, which is the page's default.
    """
    parts = urlsplit(url)
    others = [each for each in parts.query.split("&") if each.partition("=")[0] != "backend"]
    query = "&".join([*filter(None, others), f"backend={backend}"])
    return urlunsplit(parts._replace(query=query))


def _measured(
    options: MeasureOptions, served: Served, host: visit_figures.Host | None, progress: Progress
) -> visit_figures.Measurement:
    if options.backend != "auto":
        served = replace(served, url=with_backend(served.url, options.backend))
    runs = []
    # Before the other Chromium: one Playwright cannot start within another.
    resident = (
        resident_memory(served.url, options.chromium, timeout=options.timeout)
        if options.memory
        else None
    )
    with (
        browsers.started(options.chromium) as browser,
        progress.track("Visiting", options.runs, "visits") as tracker,
    ):
        meter = Meter(browser) if options.energy else None
        for _ in range(options.runs):
            run = run_once(browser, served, options.network, timeout=options.timeout, meter=meter)
            check_backend(run.first.backend, options)
            runs.append(run)
            tracker.advance(1)
        found = summarise(runs, served, options, host, f"Chromium {browser.version}")
        return found.model_copy(update={"resident": resident})


def _cost(firsts: Sequence[Visit]) -> visit_figures.Cost | None:
    def over(values: Iterable[float | None]) -> visit_figures.Spread | None:
        known = [value for value in values if value is not None]
        return spread(known) if known else None

    until_first = over(visit.first_tag_cpu_s for visit in firsts)
    if until_first is None:
        return None
    return visit_figures.Cost(
        first_tag_cpu_s=until_first,
        tag_cpu_s=over(visit.tag_cpu_s for visit in firsts),
        tag_package_j=over(visit.tag_package_j for visit in firsts),
    )


def check_backend(ran_on: str | None, options: MeasureOptions) -> None:
    """Check that a page ran on the backend that was asked for.

    Raises:
        ToolchainError: It ran on another one.
    """
    if options.backend not in ("auto", ran_on):
        raise ToolchainError(
            f"the page ran on {ran_on or 'a backend that it does not name'} instead of "
            f"{options.backend}; measure that, or --backend auto"
        )


def _with_all_served(seen: Visit, served: Served, begun: int) -> Visit:
    """Add the answers that no page lists, such as a service worker's own script."""
    known = Counter(path_of(transfer, served.url) for transfer in seen.transfers if transfer.bytes)
    rest = []
    for path, length in served.answers[begun:]:
        if known[path]:
            known[path] -= 1
        else:
            rest.append(from_host(path, length))
    return replace(seen, transfers=(*seen.transfers, *rest))
