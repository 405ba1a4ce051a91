"""Times and bytes of visits in a real browser: the record that `toolchain measure` makes."""

from __future__ import annotations

from typing import Literal

from toolchain.records.site_files import Kind, Part
from toolchain.throttling import Link


class Spread(Part):
    """A figure over several visits: its median, lowest and highest value."""

    median: float
    low: float
    high: float


class Traffic(Part):
    """What was transferred for one kind of file."""

    requests: int
    """Number of responses from the network; those from the browser's caches do not count."""
    bytes: int
    """Bodies as transferred, plus 300 bytes for the headers of each response."""


class VisitFigures(Part):
    """First or repeated visits; times are in milliseconds from navigation."""

    first_tag_ms: Spread
    """Until the page shows tags of the first photo, by the full model or the preview."""
    full_tag_ms: Spread | None = None
    """Until it shows the full model's tags; None if no preview answered before."""
    milestones_ms: dict[str, Spread]
    """Up to the first tag: when the last response of each kind came, and when each stage of the
    page ended."""
    begun_ms: dict[str, Spread] = {}  # noqa: RUF012 - pydantic copies it
    """When each of `milestones_ms` began: the first request of each kind, and each stage; empty in
    reports of versions that did not measure it."""
    traffic: dict[Kind, Traffic]
    """Medians, for the whole visit."""
    wire_bytes: int
    """The sum of `traffic`."""
    limit_ms: Spread | None
    """One round trip, plus the time that the link needs for the bytes that came before the first
    tag; None if the link is not throttled."""
    ratio: Spread | None
    """`first_tag_ms` divided by `limit_ms`, for each visit."""
    long_tasks: int
    """Number of main-thread tasks over 50 ms, in the visit with the most of them."""
    longest_task_ms: float
    """0 if no visit had such a task."""


class ResidentMemory(Part):
    """Physical memory of the page's process, all of it: code, images, buffers and WebAssembly."""

    loaded_bytes: int
    """When the first photo has been tagged and the network is idle."""
    photos: int
    """How many photos were tagged then; 0 if the page has no sample photos."""
    photos_bytes: int
    frames: int
    """How many frames of a camera were tagged after them; 0 if the page uses no camera."""
    frames_bytes: int | None


class Cost(Part):
    """What tagging costs the processor, over the runs."""

    first_tag_cpu_s: Spread
    """CPU seconds of all the browser's processes from navigation to the first tag."""
    tag_cpu_s: Spread | None
    """The same for each photo after that; None if the page has no sample photos."""
    tag_package_j: Spread | None
    """Joules for each of these, of the whole processor with all that runs on it, by RAPL; None if
    the machine does not tell."""


Host = Literal["toolchain", "plain"]


class Measurement(Part):
    """Times and bytes of visits to the site in a real browser."""

    network: Link
    host: Host | None
    """`plain` sends uncompressed files; None if the site was served by another host."""
    backend: str
    """The backend that was asked for."""
    ran_on: str
    """The backend that ran, as the page reports it."""
    browser: str
    runs: int
    first: VisitFigures
    """Visits with empty caches."""
    repeat: VisitFigures
    """Second visits with the same browser."""
    repeat_ratio: Spread
    """`first_tag_ms` of the repeated visit divided by that of the first visit, for each run."""
    inference_ms: Spread | None
    """Over the runs' medians, for photos after the first; None if the page has no sample photos."""
    inference_p90_ms: Spread | None
    heap_bytes: int
    """Size of the live JavaScript objects of the page and its workers, median."""
    buffer_bytes: int
    """Size of their array buffers and WebAssembly memories, median."""
    tensors: int | None
    """Number of live tensors after a tag, as the page reports it."""
    resident: ResidentMemory | None = None
    """None if it was not measured."""
    cost: Cost | None = None
    """None if it was not asked for."""


class EngineVisits(Part):
    """Visits in a browser other than Chromium, without throttling; times are in milliseconds."""

    browser: str
    host: Host | None
    """As in :class:`Measurement`."""
    backend: str
    """The backend that was asked for."""
    ran_on: str
    """The backend that ran, as the page reports it."""
    runs: int
    first_tag_ms: Spread
    """Of visits with empty caches, from navigation until the full model's first tag."""
    repeat_first_tag_ms: Spread
    """Of second visits with the same browser."""
    first_bytes: int | None
    """Bodies of the host's answers, median; None if another host served the site."""
    repeat_bytes: int | None
    inference_ms: Spread | None
    """Over the runs' medians, for photos after the first; None if the page has no sample photos."""
