"""Summarises visits: medians with their spread, and the limit that the connection sets."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from toolchain.records.site_files import KINDS, Kind, kind_of
from toolchain.records.visit_figures import Spread, Traffic, VisitFigures
from toolchain.throttling import limit_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolchain.measurement.visit import Transfer, Visit
    from toolchain.throttling import Link


def spread(values: Iterable[float]) -> Spread:
    """Return the median, the least and the greatest of at least one value."""
    known = sorted(values)
    return Spread(median=statistics.median(known), low=known[0], high=known[-1])


def p90(values: Sequence[float]) -> float:
    """Return the 90th percentile of at least one value, interpolated."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=10, method="inclusive")[-1]


def figures(visits: Sequence[Visit], url: str, network: Link) -> VisitFigures:
    """Summarise first visits, or repeated ones.

    Args:
        visits: At least one visit.
        url: The page's address; a file's path relative to it tells its kind.
        network: The network that the visits were throttled to.
    """
    traffic = {kind: _traffic(visits, url, kind) for kind in KINDS}
    limits = [limit_ms(network, _bytes_by_first_tag(visit)) for visit in visits]
    known = [limit for limit in limits if limit is not None]
    spans = [_spans(visit, url) for visit in visits]
    tasks = [visit.long_tasks_ms for visit in visits]
    full = [visit.full_tag_ms for visit in visits if visit.full_tag_ms is not None]
    return VisitFigures(
        first_tag_ms=spread(visit.first_tag_ms for visit in visits),
        full_tag_ms=spread(full) if full else None,
        milestones_ms=_in_order(spans, 1),
        begun_ms=_in_order(spans, 0),
        traffic=traffic,
        wire_bytes=sum(part.bytes for part in traffic.values()),
        limit_ms=spread(known) if known else None,
        ratio=spread(visit.first_tag_ms / limit for visit, limit in zip(visits, known, strict=True))
        if known
        else None,
        long_tasks=max(map(len, tasks)),
        longest_task_ms=max((task for some in tasks for task in some), default=0.0),
    )


def path_of(transfer: Transfer, url: str) -> str:
    """Return the path of a file relative to the page; empty for the page itself."""
    folder = urlsplit(urljoin(url, ".")).path
    return urlsplit(urljoin(url, transfer.url)).path.removeprefix(folder)


def _traffic(visits: Sequence[Visit], url: str, kind: Kind) -> Traffic:
    travelled = [
        [
            transfer.bytes
            for transfer in visit.transfers
            if transfer.bytes and kind_of(path_of(transfer, url)) == kind
        ]
        for visit in visits
    ]
    return Traffic(
        requests=round(statistics.median(map(len, travelled))),
        bytes=round(statistics.median(map(sum, travelled))),
    )


def _bytes_by_first_tag(visit: Visit) -> int:
    return sum(
        transfer.bytes for transfer in visit.transfers if transfer.end_ms <= visit.first_tag_ms
    )


def _spans(visit: Visit, url: str) -> dict[str, tuple[float, float]]:
    """Return begin and end of each stage, and of each kind of file loaded before the first tag."""
    # The stage "preview" is the first tag; here that name belongs to the preview's files.
    spans = {stage: span for stage, span in visit.stages_ms.items() if stage != "preview"}
    for transfer in visit.transfers:
        if transfer.end_ms > visit.first_tag_ms:
            continue
        path = path_of(transfer, url)
        name: str = kind_of(path) if path else "html"
        start, end = spans.get(name, (transfer.start_ms, transfer.end_ms))
        spans[name] = min(start, transfer.start_ms), max(end, transfer.end_ms)
    return spans


def _in_order(spans: Sequence[dict[str, tuple[float, float]]], side: int) -> dict[str, Spread]:
    """Return the begins or the ends of the spans over all visits, by name, sorted by median."""
    times: dict[str, list[float]] = {}
    for of_visit in spans:
        for name, span in of_visit.items():
            times.setdefault(name, []).append(span[side])
    found = {name: spread(some) for name, some in times.items()}
    return dict(sorted(found.items(), key=lambda item: item[1].median))
