"""The page says "none of these" to the photos that `evaluate` calls so, in a real Chromium."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import none_model
from tests.browser import SAMPLES, chromium, toolchain_serve
from tests.page_driver import (
    OTHER_DECODER,
    SAME_PIXELS,
    give,
    open_page,
    shown_tags,
    uncomplaining_page,
    until_done,
)
from toolchain.errors import ToolchainError
from toolchain.evaluation.stage import EvaluationOptions
from toolchain.graph import preprocess
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.pipeline.evaluate import evaluate
from toolchain.progress import Silent
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records import build_report
from toolchain.smoke_test import worker
from toolchain.sources.request import Request
from toolchain.tfjs import execute
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from toolchain.cache.store import Store
    from toolchain.pipeline.build_options import Weights

pytestmark = pytest.mark.xdist_group("none of these")


def options(folder: Path, weights: Weights) -> BuildOptions:
    request = Request(
        str(none_model.write(folder)), lockfile=folder.with_name("toolchain.lock.json")
    )
    return BuildOptions(request, folder / "site", weights=weights)


@pytest.fixture(scope="module")
def site(session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site with packed weights."""
    asked = options(tmp_path_factory.mktemp("site"), QuantizeSettings("int8"))
    build(asked, store=session_store, progress=Silent())
    return asked.out


@pytest.fixture(scope="module")
def cosine(site: Path) -> Callable[[Path], float]:
    """Return a function that computes a photo's greatest cosine by the site's files."""
    report = build_report.read(site)
    run = execute.load_with_features(site / "model", report.artifacts.model_json, "site")

    def of(photo: Path) -> float:
        _, features = run(preprocess.load(photo, report.card.input)[None])
        return float(none_model.RULE.greatest_cosines(features)[0])

    return of


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    with toolchain_serve(site) as url, uncomplaining_page(browser) as opened:
        open_page(opened, url)
        yield opened


def shown_cosine(page: Page) -> float:
    return float(page.get_attribute("#tags", "data-cosine") or "nan")


def test_the_page_refuses_the_photos_that_evaluate_refuses(
    page: Page, site: Path, cosine: Callable[[Path], float], session_store: Store, tmp_path: Path
) -> None:
    # The sample was run on while the weights were still coming.
    assert shown_cosine(page) == pytest.approx(cosine(SAMPLES / "cat.jpg"), abs=OTHER_DECODER)
    red = none_model.photo(tmp_path / "red" / "tomato.png", "red")
    blue = none_model.photo(tmp_path / "green" / "sky.png", "blue")

    give(page, red)
    assert shown_cosine(page) == pytest.approx(cosine(red), abs=SAME_PIXELS)
    assert [place for place, _ in shown_tags(page)] == [0, 1]
    assert page.locator("#tags .nearest").count() == 0

    for _ in ("the first visit", "a later one"):
        give(page, blue)
        assert shown_cosine(page) == pytest.approx(cosine(blue), abs=SAME_PIXELS)
        ((place, score),) = shown_tags(page)
        row = page.locator("#tags li.nearest")
        share = f"{100 * score:.1f} %"
        assert row.locator(".tag-name").inner_text() == "None of these"
        label = none_model.LABELS[place]
        assert row.locator(".tag-share").inner_text().split() == [
            "nearest:",
            label,
            *share.split(),
        ]
        spoken = " ".join((row.locator(".spoken").text_content() or "").split())
        assert spoken == f"None of these; the nearest is {label}, {share}"
        page.reload()
        page.wait_for_selector("html[data-state=tagged]")

    asked = EvaluationOptions(Request(str(site)), tmp_path)
    found = evaluate(asked, store=session_store, progress=Silent()).none_of_these
    assert found is not None
    assert found.kept is not None
    assert (found.kept.hits, found.kept.of) == (1, 2)


def test_a_gallery_and_its_files_name_the_nearest_tag(page: Page, tmp_path: Path) -> None:
    photos = [
        none_model.photo(tmp_path / f"{colour}.png", colour) for colour in ("red", "blue", "grey")
    ]
    page.set_input_files("#file", photos)
    until_done(page, len(photos))
    rows = page.locator(".cell-tags")
    assert rows.nth(0).inner_text().startswith("red ")
    assert rows.nth(1).inner_text().startswith("None of these nearest: ")

    with page.expect_download() as download:
        page.click("#gallery-json")
    record = json.loads(Path(download.value.path()).read_text("utf-8"))
    red, blue, grey = record["photos"]
    assert (red["tags"][0]["label"], red["nearest"]) == ("red", None)
    assert (blue["tags"], grey["tags"]) == ([], [])
    assert {blue["nearest"]["label"], grey["nearest"]["label"]} <= set(none_model.LABELS)

    with page.expect_download() as download:
        page.click("#gallery-csv")
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["label_1"] for row in table] == ["red", "", ""]
    assert table[0]["nearest_label"] == ""
    assert table[1]["nearest_label"] == blue["nearest"]["label"]
    assert float(table[1]["nearest_score"]) == blue["nearest"]["score"]


# --- before a site is published --------------------------------------------------------------


def test_a_build_compares_the_cosines_of_its_page(site: Path) -> None:
    (tested,) = build_report.read(site).smoke_tests
    assert tested.by == "node"
    assert tested.cosine_difference is not None
    assert tested.cosine_difference < 1e-5
    assert "of cosines" in (site / "report.html").read_text("utf-8")


@pytest.mark.parametrize("wrong", ["cosine", "is_none"])
def test_a_page_that_decides_otherwise_is_not_published(
    wrong: str, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = worker.answers

    def other(*words: object) -> tuple[worker.Answer, ...]:
        first, *rest = right(*words)  # type: ignore[arg-type]
        assert first.cosine is not None
        changed: dict[str, Any] = {
            "cosine": first.cosine - 0.002,
            "is_none": not first.is_none,
        }
        return (replace(first, **{wrong: changed[wrong]}), *rest)

    monkeypatch.setattr(worker, "answers", other)
    with pytest.raises(ToolchainError, match=r"colours finds other photos that show none"):
        build(options(tmp_path, Stored("float16")), store=store, progress=Silent())
    assert not (tmp_path / "site").exists()
