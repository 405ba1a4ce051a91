"""What visits to a site cost in a real browser: the record that `toolchain measure` makes."""

from __future__ import annotations

from typing import Literal

from toolchain.records.site_files import Kind, Part
from toolchain.throttling import Link


class Spread(Part):
    """A figure over several visits."""

    median: float
    low: float
    high: float


class Traffic(Part):
    """What came over the wire for one kind of file."""

    requests: int
    """Answers that came over the wire; those of the browser's caches do not count."""
    bytes: int
    """Bodies as they travelled, and 300 for the headers of each answer."""


class VisitFigures(Part):
    """Visits of one sort, first or repeated; times are milliseconds from navigation."""

    first_tag_ms: Spread
    """Until tags of the first photo stand in the page, by whichever model."""
    full_tag_ms: Spread | None = None
    """Until those of the full model do; None where no small one answered before it."""
    milestones_ms: dict[str, Spread]
    """By the first tag: the last answer of each kind, and the page's own stages' ends."""
    begun_ms: dict[str, Spread] = {}  # noqa: RUF012 - pydantic copies it
    """When each of `milestones_ms` had begun: the first request of each kind, and the stages;
    empty in reports that were written before this was measured."""
    traffic: dict[Kind, Traffic]
    """Of the whole visit, medians."""
    wire_bytes: int
    """The sum of `traffic`."""
    limit_ms: Spread | None
    """One round trip, and the time the link is busy with the bytes that came by the first
    tag; None where nothing is throttled."""
    ratio: Spread | None
    """`first_tag_ms` in terms of `limit_ms`, visit by visit."""
    long_tasks: int
    """Tasks of the main thread over 50 ms in the visit that had most."""
    longest_task_ms: float
    """0 where no visit had such a task."""


Host = Literal["toolchain", "plain"]


class Measurement(Part):
    """What visits to the site cost in a real browser."""

    network: Link
    host: Host | None
    """`plain` sends no encodings; None: a host of somebody else's."""
    backend: str
    """The one that was asked for."""
    ran_on: str
    """The one that computed, as the page says."""
    browser: str
    runs: int
    first: VisitFigures
    """With nothing kept from before."""
    repeat: VisitFigures
    """By the same browser once more."""
    repeat_ratio: Spread
    """First tag of the repeated visit in terms of the first one, run by run."""
    inference_ms: Spread | None
    """The runs' medians, over photos tagged after the first; None: the page has no samples."""
    inference_p90_ms: Spread | None
    heap_bytes: int
    """Live JavaScript objects of the page and its workers, median."""
    buffer_bytes: int
    """Their array buffers and WebAssembly memories, median."""
    tensors: int | None
    """How many live after a tag, as the page says."""
