"""Drives the built page as a visitor does, and reads its tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.graph import preprocess
from toolchain.report import schema
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

SECONDS = 1000  # in the milliseconds that Playwright counts in
LOADED = 90 * SECONDS

# Both sides read the same decoded pixels. What differs is the order of float32 sums (in
# the resize, 3e-3 of 255 measured against TensorFlow's own; in XNNPACK's and Eigen's
# convolutions). 1e-3 in a probability is ten times the largest difference seen.
SAME_PIXELS = 1e-3

Tags = list[tuple[int, float]]
"""Classes with their scores, best first."""


def reference_of(site: Path) -> Callable[[Path], Tags]:
    """Return what tags a photo by the same graph and stored weights, run by TensorFlow."""
    report = schema.read(site)
    run = execute.load(site / "model", report.artifacts.model_json)

    def tags(photo: Path) -> Tags:
        logits = run(preprocess.load(photo, report.card.input)[None])[0]
        return top_five(logits)

    return tags


def top_five(logits: np.ndarray[Any, Any]) -> Tags:
    """Return the five best classes of an output."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max())
    scores = exponentials / exponentials.sum()
    return [(int(index), float(scores[index])) for index in np.argsort(-scores)[:5]]


def open_page(page: Page, url: str) -> None:
    """Visit the page and wait for the first tags."""
    page.goto(url)
    page.wait_for_selector("html[data-state=tagged]", timeout=LOADED)


def shown_tags(page: Page) -> Tags:
    """Return the tags that the page shows."""
    rows: list[dict[str, str]] = page.eval_on_selector_all(
        "#tags li", "rows => rows.map(row => ({...row.dataset}))"
    )
    return [(int(row["classIndex"]), float(row["score"])) for row in rows]


def give(page: Page, photo: Path | dict[str, Any]) -> None:
    """Choose a file and wait for its tags."""
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.set_input_files("#file", photo)  # type: ignore[arg-type]
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=30 * SECONDS)


def assert_same(shown: Tags, expected: Tags, tolerance: float) -> None:
    """Compare tags: the same classes in the same order, scores within a tolerance."""
    assert [index for index, _ in shown] == [index for index, _ in expected]
    differences = [abs(one - other) for (_, one), (_, other) in zip(shown, expected, strict=True)]
    assert max(differences) < tolerance, differences
