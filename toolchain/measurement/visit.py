"""One visit to a page, from navigation to the first tag and a little further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.errors import ToolchainError
from toolchain.measurement import probes
from toolchain.measurement.devtools import DevTools

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from toolchain.throttling import Link

# A browser looks a second after a page has loaded whether its service worker is still the
# newest; a visit is over only then.
_SETTLED_MS = 1500
_HEADER_BYTES = 300
"""What Resource Timing puts for the headers of one answer."""


@dataclass(frozen=True)
class Transfer:
    """One answer to the page or one of its workers; milliseconds are from navigation."""

    url: str
    start_ms: float
    end_ms: float
    bytes: int
    """On the wire with its headers; 0 where a cache of the browser answered."""

    @property
    def body_bytes(self) -> int:
        """Length of what came without its headers."""
        return max(0, self.bytes - _HEADER_BYTES)


@dataclass(frozen=True)
class Visit:
    """What one visit cost; milliseconds are from navigation."""

    first_tag_ms: float
    transfers: tuple[Transfer, ...]
    stages_ms: dict[str, tuple[float, float]]
    """When the stages that the page tells of began and ended."""
    long_tasks_ms: tuple[float, ...]
    backend: str | None
    inference_ms: tuple[float, ...]
    heap_bytes: int
    buffer_bytes: int
    tensors: int | None
    full_tag_ms: float | None = None
    """Until the first tag of the full model, where a preview's tag was the first."""


def visit(context: BrowserContext, url: str, network: Link, *, tags: int, timeout: float) -> Visit:
    """Open a page, wait for its first tag, and tag its first sample some times more.

    Args:
        context: The browser's profile; what it holds decides whether this is a first visit.
        url: The page.
        network: What to slow its link down to.
        tags: How many photos to tag after the first.
        timeout: Seconds until the first tag has to be there, and again until the link is idle.

    Raises:
        ToolchainError: The page cannot be opened, failed, or showed no tag in time.
    """
    from playwright.sync_api import Error

    page = context.new_page()
    page.set_default_timeout(timeout * 1000)
    try:
        devtools = DevTools(page, network)
        page.add_init_script(probes.WATCH)
        first_tag_ms, full_tag_ms = _first_tags(page, url, timeout)
        _settle(page)
        inference = page.evaluate(probes.TAG_AGAIN, tags) if tags else []
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
        )
    except Error as error:
        raise ToolchainError(
            f"{url} cannot be measured: {error.message.splitlines()[0]}; look at it with a browser"
        ) from error
    finally:
        page.close()


def from_host(path: str, body_bytes: int) -> Transfer:
    """Return a transfer that only the host knows of, such as a service worker's script.

    It is counted, but nobody knows when it came: not by the first tag.
    """
    return Transfer(path, float("inf"), float("inf"), body_bytes + _HEADER_BYTES)


def _first_tags(page: Page, url: str, timeout: float) -> tuple[float, float | None]:
    """Wait for the full model's first tag; return the first of either, and that one if later."""
    page.goto(url, wait_until="commit", timeout=timeout * 1000)
    seen: dict[str, Any] = page.evaluate(probes.FIRST_TAGS, timeout * 1000)
    first, full = seen["firstTagMs"], seen["fullTagMs"]
    if full is None:
        fault = " ".join(seen["fault"].split()) or f"there was no tag within {timeout:g} s"
        done = "tagged nothing" if first is None else "tagged by its preview only"
        raise ToolchainError(
            f"{url} {done}: {fault}; look at it with a browser, or give it longer by --timeout"
        )
    return float(first), float(full) if full > first else None


def _settle(page: Page) -> None:
    """Wait until the visit needs nothing more of the network."""
    page.wait_for_load_state("networkidle")
    page.evaluate(probes.SERVICE_WORKER)
    page.wait_for_timeout(_SETTLED_MS)


def _transfers(page: Page, origin: float) -> tuple[Transfer, ...]:
    """List what came in this visit, by whichever of its threads it was asked for."""
    listed: list[dict[str, Any]] = page.evaluate(probes.TRANSFERS)
    for worker in (*page.workers, *page.context.service_workers):
        listed += worker.evaluate(probes.TRANSFERS)
    return tuple(
        Transfer(entry["url"], entry["start"] - origin, entry["end"] - origin, int(entry["bytes"]))
        for entry in listed
        # A service worker outlives a visit, and so does its list.
        if entry["start"] >= origin - 1
    )
