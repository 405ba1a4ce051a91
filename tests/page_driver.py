"""Drives the built page as a visitor does, and reads its tags."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.watchdog import HANG_MS
from toolchain.graph import preprocess
from toolchain.records import build_report
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

SECONDS = 1000  # milliseconds, Playwright's unit
LOADED = HANG_MS

# Both sides read the same decoded pixels. Only the order of float32 sums differs: in
# the resize (3e-3 of 255, measured against TensorFlow's own), and in XNNPACK's and Eigen's
# convolutions. 1e-3 in a score is ten times the largest difference measured by these tests.
SAME_PIXELS = 1e-3

# Chromium's decoders of films and of lossy pictures round differently from Python's. Chosen, not
# measured.
OTHER_DECODER = 0.03
# The longest task of the main thread may take this share of the time of work that must not run
# there. A share, because the milliseconds depend on the machine: on an idle one with two cores it
# is 200 ms, a delay that visitors notice.
LONGEST_TASK = 1 / 4
WATCH_TASKS = """
window.tasks = [];
new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((e) => e.duration)))
  .observe({type: 'longtask'});
"""

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)

Tags = list[tuple[int, float]]
"""Classes with their scores, best first."""


def reference_of(site: Path) -> Callable[[Path], Tags]:
    """Return a function that tags a photo with the same graph and stored weights in TensorFlow."""
    report = build_report.read(site)
    run = execute.load(site / "model", report.artifacts.model_json)

    def tags(photo: Path) -> Tags:
        logits = run(preprocess.load(photo, report.card.input)[None])[0]
        return top_five(logits)

    return tags


def top_five(logits: np.ndarray[Any, Any]) -> Tags:
    """Return the five best classes of an output, with their scores."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max())
    scores = exponentials / exponentials.sum()
    return [(int(index), float(scores[index])) for index in np.argsort(-scores)[:5]]


@contextmanager
def uncomplaining_page(browser: Browser) -> Iterator[Page]:
    """Open a page in a fresh profile; errors on its console fail the test."""
    context = browser.new_context()
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield opened
    context.close()
    # Messages for a missing file, and for a host that is gone when the service worker is fetched.
    expected = ("Failed to load resource", "error occurred when fetching the script")
    assert [text for text in complaints if not any(part in text for part in expected)] == []


def open_page(page: Page, url: str) -> None:
    """Visit the page and wait for the first tags."""
    page.goto(url)
    until_loaded(page)


def until_loaded(page: Page) -> None:
    """Wait for the first tags of a visit, or until the page says that it failed."""
    page.wait_for_selector("html:is([data-state=tagged], [data-state=failed])", timeout=LOADED)
    state = page.get_attribute("html", "data-state")
    assert state == "tagged", page.inner_text("[role=alert]")


def shown_tags(page: Page) -> Tags:
    """Return the tags that the page shows."""
    rows: list[dict[str, str]] = page.eval_on_selector_all(
        "#tags li", "rows => rows.map(row => ({...row.dataset}))"
    )
    return [(int(row["classIndex"]), float(row["score"])) for row in rows]


def tags_of(page: Page) -> Tags:
    """Wait for tags, and return them."""
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)
    return shown_tags(page)


def give(page: Page, photo: Path | dict[str, Any]) -> None:
    """Choose a file and wait for its tags."""
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.set_input_files("#file", photo)  # type: ignore[arg-type]
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)


def file_transfer(page: Page, photo: Path) -> Any:
    """Return a photo as a drop or the clipboard hands it to the page."""
    return page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], 'photo.png', {type: 'image/png'}));
            return transfer;
        }""",
        list(photo.read_bytes()),
    )


def assert_same(shown: Tags, expected: Tags, tolerance: float) -> None:
    """Compare tags: the same classes in the same order, scores within a tolerance."""
    assert [index for index, _ in shown] == [index for index, _ in expected]
    differences = [abs(one - other) for (_, one), (_, other) in zip(shown, expected, strict=True)]
    assert max(differences) < tolerance, differences


def tagged_anew(page: Page) -> Tags:
    """Wait for the tags of the photo given last, and return them."""
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)
    return shown_tags(page)


def alert(page: Page) -> str:
    """Wait for the page's error message, and return it."""
    page.wait_for_selector("[role=alert]:visible", timeout=LOADED)
    return page.inner_text("#alert-text")


def until_done(page: Page, count: int) -> None:
    """Wait until a gallery with this many photos is done."""
    page.wait_for_selector(
        f"#gallery[data-gallery=still]:has(.cell:nth-child({count}))", timeout=LOADED
    )
    assert page.inner_text("#gallery-count") == f"{count} of {count}"
