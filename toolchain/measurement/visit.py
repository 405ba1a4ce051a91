"""Makes one visit to a page, from navigation to the first tag and a little longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.errors import ToolchainError
from toolchain.measurement import probes
from toolchain.measurement.devtools import DevTools

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from toolchain.measurement.energy import Meter, Reading
    from toolchain.throttling import Link

# A second after a page has loaded, the browser checks for a new service worker. The visit lasts
# until then.
SETTLED_MS = 1500
_HEADER_BYTES = 300
"""The size that Resource Timing assumes for the headers of an answer."""


@dataclass(frozen=True)
class Transfer:
    """One answer to the page or one of its workers; milliseconds are from navigation."""

    url: str
    start_ms: float
    end_ms: float
    bytes: int
    """Bytes transferred, headers included; 0 if a cache of the browser answered."""

    @property
    def body_bytes(self) -> int:
        """Bytes of the body, as transferred."""
        return max(0, self.bytes - _HEADER_BYTES)


@dataclass(frozen=True)
class Visit:
    """The figures of one visit; milliseconds are from navigation."""

    first_tag_ms: float
    transfers: tuple[Transfer, ...]
    stages_ms: dict[str, tuple[float, float]]
    """Begin and end of the page's stages."""
    long_tasks_ms: tuple[float, ...]
    backend: str | None
    inference_ms: tuple[float, ...]
    heap_bytes: int
    buffer_bytes: int
    tensors: int | None
    full_tag_ms: float | None = None
    """Time until the first tag of the full model, if a preview's tag came before it."""
    first_tag_cpu_s: float | None = None
    """CPU seconds of the browser until the first tag; None if there was no meter."""
    tag_cpu_s: float | None = None
    """The same for each photo after it."""
    tag_package_j: float | None = None
    """Joules of the processor for each of these; None if they cannot be read."""


def visit(
    context: BrowserContext,
    url: str,
    network: Link,
    *,
    tags: int,
    timeout: float,
    meter: Meter | None = None,
) -> Visit:
    """Open a page, wait for its first tag, and tag its first sample a few more times.

    Args:
        context: The browser's profile; an empty one makes this a first visit.
        url: The page.
        network: The network to throttle to.
        tags: How many photos to tag after the first.
        timeout: Seconds to wait for the first tag, and again until the network is idle.
        meter: Reads what it costs.

    Raises:
        ToolchainError: The page cannot be opened, failed, or showed no tag in time.
    """
    from playwright.sync_api import Error

    page = context.new_page()
    page.set_default_timeout(timeout * 1000)
    try:
        devtools = DevTools(page, network)
        page.add_init_script(probes.WATCH)
        readings = [meter.read()] if meter else []
        first_tag_ms, full_tag_ms = _first_tags(page, url, timeout)
        readings += [meter.read()] if meter else []
        _settle(page)
        readings += [meter.read()] if meter else []
        inference = page.evaluate(probes.TAG_AGAIN, tags) if tags else []
        readings += [meter.read()] if meter else []
        heap, buffers = devtools.heap()
        facts = page.evaluate(probes.FACTS)
        return Visit(
            first_tag_ms=first_tag_ms,
            transfers=_transfers(page, facts["origin"]),
            stages_ms={name: (start, end) for name, start, end in facts["stages"]},
            long_tasks_ms=tuple(facts["longTasks"]),
            backend=facts["backend"],
            inference_ms=tuple(inference),
            heap_bytes=heap,
            buffer_bytes=buffers,
            tensors=None if facts["tensors"] is None else int(facts["tensors"]),
            full_tag_ms=full_tag_ms,
            **_cost(readings, len(inference)),
        )
    except Error as error:
        raise ToolchainError(
            f"{url} cannot be measured: {error.message.splitlines()[0]}; open it in a browser"
        ) from error
    finally:
        page.close()


def _cost(readings: list[Reading], tags: int) -> dict[str, float | None]:
    """Return what a visit cost, of readings at its four marks."""
    if not readings:
        return {}
    begun, first, settled, ended = readings
    joules = ended.joules(settled)
    return {
        "first_tag_cpu_s": first.cpu_s(begun),
        "tag_cpu_s": ended.cpu_s(settled) / tags if tags else None,
        "tag_package_j": joules / tags if tags and joules is not None else None,
    }


def from_host(path: str, body_bytes: int) -> Transfer:
    """Return a transfer that only the host has seen, such as a service worker's script.

    Its time is unknown, so it counts as later than the first tag.
    """
    return Transfer(path, float("inf"), float("inf"), body_bytes + _HEADER_BYTES)


def _first_tags(page: Page, url: str, timeout: float) -> tuple[float, float | None]:
    """Wait for the full model's first tag; return the first tag's time, and its own if later."""
    page.goto(url, wait_until="commit", timeout=timeout * 1000)
    seen: dict[str, Any] = page.evaluate(probes.FIRST_TAGS, timeout * 1000)
    first, full = seen["firstTagMs"], seen["fullTagMs"]
    if full is None:
        fault = " ".join(seen["fault"].split()) or f"there was no tag within {timeout:g} s"
        done = "tagged nothing" if first is None else "tagged by its preview only"
        raise ToolchainError(
            f"{url} {done}: {fault}; open it in a browser, or allow more time with --timeout"
        )
    return float(first), float(full) if full > first else None


def _settle(page: Page) -> None:
    """Wait until the visit no longer uses the network."""
    page.wait_for_load_state("networkidle")
    page.evaluate(probes.SERVICE_WORKER)
    page.wait_for_timeout(SETTLED_MS)


def _transfers(page: Page, origin: float) -> tuple[Transfer, ...]:
    """List the transfers of this visit, by the page and all its workers."""
    listed: list[dict[str, Any]] = page.evaluate(probes.TRANSFERS)
    for worker in (*page.workers, *page.context.service_workers):
        listed += worker.evaluate(probes.TRANSFERS)
    return tuple(
        Transfer(entry["url"], entry["start"] - origin, entry["end"] - origin, int(entry["bytes"]))
        for entry in listed
        # A service worker's list also holds transfers of earlier visits.
        if entry["start"] >= origin - 1
    )
