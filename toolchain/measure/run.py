"""Measures a site: first and repeated visits, and what they cost, into its report."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit, urlunsplit

from toolchain.errors import ToolchainError
from toolchain.measure import browser as browsers
from toolchain.measure.hosts import Served, serving
from toolchain.measure.summary import figures, p90, path_of, spread
from toolchain.measure.visit import Visit, from_host, visit
from toolchain.report import keep as reports
from toolchain.report import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser

    from toolchain.networks import Network
    from toolchain.progress import Progress

Backend = Literal["auto", "wasm", "webgl", "webgpu", "cpu"]
BACKENDS: tuple[Backend, ...] = ("auto", "wasm", "webgl", "webgpu", "cpu")
HOSTS: tuple[schema.Host, ...] = ("toolchain", "plain")

TAGS = 20
"""How many photos are tagged after the first, for the steady inference."""


@dataclass(frozen=True)
class MeasureOptions:
    """What to measure and how."""

    site: str
    """Folder of a built site, or the address of a page."""
    network: Network
    backend: Backend = "auto"
    host: schema.Host = "toolchain"
    """Who serves a folder."""
    runs: int = 5
    """How many first visits, each with a repeated one."""
    timeout: float = 300.0
    """Seconds until a visit's first tag has to be there."""
    chromium: Path | None = None


@dataclass(frozen=True)
class Run:
    """A first visit and a repeated one."""

    first: Visit
    repeat: Visit


def measure(options: MeasureOptions, *, progress: Progress) -> schema.Measurement:
    """Visit a site in Chromium, and write what it cost into the report of a folder.

    Raises:
        BadInputError: There is no site of this tool at that path.
        MissingToolError: Playwright or Chromium is not installed.
        ToolchainError: The page showed no tag, or ran on another backend than asked for.
    """
    if options.site.startswith(("http://", "https://")):
        return _measured(options, Served(options.site), None, progress)
    site = Path(options.site)
    before = schema.read(site)
    with serving(site, options.host) as served:
        measurement = _measured(options, served, options.host, progress)
    keep(site, before, measurement)
    return measurement


def run_once(
    browser: Browser,
    served: Served,
    network: Network,
    *,
    tags: int = TAGS,
    timeout: float = 300.0,
) -> Run:
    """Visit a page as a new visitor, and once more as the same one.

    Raises:
        ToolchainError: The page showed no tag.
    """
    context = browser.new_context()
    try:
        visits = []
        for more in (tags, 0):
            begun = len(served.answers)
            seen = visit(context, served.url, network, tags=more, timeout=timeout)
            visits.append(_with_all_served(seen, served, begun))
        return Run(*visits)
    finally:
        context.close()


def summarise(
    runs: Sequence[Run],
    served: Served,
    options: MeasureOptions,
    host: schema.Host | None,
    name: str,
) -> schema.Measurement:
    """Make a record of at least one run; `name` is the browser's."""
    steady = [run.first.inference_ms for run in runs if run.first.inference_ms]
    firsts, repeats = [run.first for run in runs], [run.repeat for run in runs]
    return schema.Measurement(
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
    )


def with_backend(url: str, backend: Backend) -> str:
    """Return a page's address that asks for a backend, in place of another one.

    Args:
        url: It may have a query of its own, and a fragment, which is last in an address.
        backend: Any but `auto`, for which the page needs no word.
    """
    parts = urlsplit(url)
    others = [each for each in parts.query.split("&") if each.partition("=")[0] != "backend"]
    query = "&".join([*filter(None, others), f"backend={backend}"])
    return urlunsplit(parts._replace(query=query))


def _measured(
    options: MeasureOptions, served: Served, host: schema.Host | None, progress: Progress
) -> schema.Measurement:
    if options.backend != "auto":
        served = replace(served, url=with_backend(served.url, options.backend))
    runs = []
    with (
        browsers.started(options.chromium) as browser,
        progress.track("Visiting", options.runs, "visits") as tracker,
    ):
        for _ in range(options.runs):
            run = run_once(browser, served, options.network, timeout=options.timeout)
            _check_backend(run.first, options)
            runs.append(run)
            tracker.advance(1)
        return summarise(runs, served, options, host, f"Chromium {browser.version}")


def _check_backend(seen: Visit, options: MeasureOptions) -> None:
    if options.backend not in ("auto", seen.backend):
        raise ToolchainError(
            f"the page ran on {seen.backend or 'a backend that it does not name'} instead of "
            f"{options.backend}; measure that, or --backend auto"
        )


def _with_all_served(seen: Visit, served: Served, begun: int) -> Visit:
    """Add what left the host but is in no page's book: a service worker's own script."""
    known = Counter(path_of(transfer, served.url) for transfer in seen.transfers if transfer.bytes)
    rest = []
    for path, length in served.answers[begun:]:
        if known[path]:
            known[path] -= 1
        else:
            rest.append(from_host(path, length))
    return replace(seen, transfers=(*seen.transfers, *rest))


def keep(site: Path, before: schema.Report, measurement: schema.Measurement) -> None:
    """Put a measurement into a site's report, in place of the last one of its sort.

    Args:
        site: The site that was measured.
        before: Its report as it was then.
        measurement: What was found.

    Raises:
        ToolchainError: The site was built anew meanwhile.
    """

    def sort(one: schema.Measurement) -> tuple[str, str | None, str]:
        return one.network.name, one.host, one.backend

    def changed(report: schema.Report) -> schema.Report:
        others = [one for one in report.measurements if sort(one) != sort(measurement)]
        return report.model_copy(update={"measurements": (*others, measurement)})

    reports.amend(site, before, changed)
