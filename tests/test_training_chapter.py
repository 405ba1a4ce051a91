"""The report's chapter on training, in a real Chromium and by what it draws."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests import axe, reports, tiny_models, trainings
from tests.browser import chromium
from toolchain.cache.store import Store
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.records import build_report, training
from toolchain.records.card import Declared
from toolchain.report import page, report_files, thumbnails, training_chapter
from toolchain.sources import trained
from toolchain.sources.request import Request
from toolchain.sources.trained import TrainedModel
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.xdist_group("report")

LONG = (*(f"a tag with a long name of many words, number {n}" for n in range(3)), "x" * 120)
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</title><script>alert(2)</script>",
    "a & b \"'",
    "{{ tag }}",
)
PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
RECORDS = {
    "flowers": trainings.record(),
    "several tags a photo": trainings.record(("cat", "dog", "tree"), several=True),
    "least": trainings.record(
        ("cat", "dog"),
        test=False,
        none=False,
        candidates=1,
        suspects=0,
        duplicates=0,
        attempts=False,
    ).model_copy(update={"learning": (), "none_of_these": None, "more_photos": (), "warnings": ()}),
    "forty": trainings.record([f"tag {n}" for n in range(40)], photos=20, suspects=80),
    "hundred": trainings.record([f"tag {n}" for n in range(100)], photos=10),
    "long": trainings.record(LONG),
    "hostile": trainings.record(HOSTILE),
}
SVG = "{http://www.w3.org/2000/svg}"


def report_of(record: training.Training) -> build_report.Report:
    """Return a report with this record and a picture of each photo that it shows."""
    own, test = training_chapter.shown_photos(record)
    new = {
        "training": record,
        "training_thumbnails": dict.fromkeys(own, PICTURE),
        "test_thumbnails": dict.fromkeys(test, PICTURE),
    }
    return reports.smallest().model_copy(update=new)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    axe.install(context)
    yield context.new_page()
    context.close()


def show(tab: Page, record: training.Training, folder: Path) -> Path:
    """Open the report with this record, with all that is folded up unfolded."""
    path = folder / "report.html"
    path.write_text(page.render(report_of(record)), "utf-8")
    tab.goto(path.as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    return path


def headings(tab: Page) -> list[str]:
    return tab.locator("#training h3").all_inner_texts()


@pytest.mark.parametrize("which", RECORDS)
def test_it_fits_every_window_and_loads_nothing(tab: Page, tmp_path: Path, which: str) -> None:
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    path = show(tab, RECORDS[which], tmp_path)
    for width in (320, 390, 1280):
        tab.set_viewport_size({"width": width, "height": 844})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, width
        drawn = tab.evaluate(
            "[...document.querySelectorAll('#training svg')].filter((one) => one.checkVisibility())"
            ".map((one) => one.getBoundingClientRect().width)"
        )
        assert len(drawn) == (1 if which == "least" else 3)
        assert min(drawn) > 0.6 * min(width, 400)
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["flowers", "several tags a photo"])
def test_everybody_can_read_it(tab: Page, tmp_path: Path, which: str, scheme: str) -> None:
    tab.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    show(tab, RECORDS[which], tmp_path)
    for width in axe.WIDTHS:
        tab.set_viewport_size({"width": width, "height": 844})
        results = tab.evaluate("tags => axe.run('#training', {runOnly: tags})", axe.TAGS)
        faults = [
            (rule["id"], node["target"]) for rule in results["violations"] for node in rule["nodes"]
        ]
        assert faults == []
        judged = {rule["id"]: rule["nodes"] for rule in results["passes"]}
        shaded = [node for node in judged["color-contrast"] if "shade-" in node["html"]]
        # axe knows the colours of cells and judged them.
        assert shaded or which == "several tags a photo"
        assert len(judged["td-headers-attr"]) + len(judged.get("scope-attr-valid", ())) > 2


@pytest.mark.parametrize("which", RECORDS)
def test_no_section_is_empty(tab: Page, tmp_path: Path, which: str) -> None:
    show(tab, RECORDS[which], tmp_path)
    sheets, empty = tab.evaluate(
        """() => [
          [...document.querySelectorAll('#training .sheet')].map((sheet) =>
            [sheet.querySelector('h3').innerText, sheet.innerText.length]),
          [...document.querySelectorAll('#training :is(tbody, ul, dl, .strip, .confusion)')]
            .filter((one) => one.childElementCount === 0).length,
        ]"""
    )
    assert [title for title, length in sheets if length < len(title) + 20] == []
    assert empty == 0
    assert "None" not in tab.locator("#training").inner_text().replace("None of these", "")


def test_it_shows_only_what_there_is(tab: Page, tmp_path: Path) -> None:
    show(tab, RECORDS["flowers"], tmp_path)
    assert headings(tab) == [
        "Each tag, the weakest first",
        "Confusion matrix, out of fold",
        "Confusion matrix, in other_day",
        "Learning curve",
        "Calibration",
        "Where to cut the network: bytes against accuracy",
        "Beyond the last layer",
        "Photos that may have a wrong tag",
        "The same photo more than once",
        "How it was trained",
    ]
    show(tab, RECORDS["least"], tmp_path)
    assert headings(tab) == [
        "Each tag, the weakest first",
        "Confusion matrix, out of fold",
        "Calibration",
        "How it was trained",
    ]
    show(tab, RECORDS["several tags a photo"], tmp_path)
    assert "Wrongly tagged photos, out of fold" in headings(tab)
    assert tab.locator(".matrix").count() == 0
    show(tab, RECORDS["hundred"], tmp_path)
    assert "Confused tags, out of fold" in headings(tab)
    assert tab.locator(".matrix").count() == 0


def test_a_model_of_another_source_has_no_chapter() -> None:
    html = page.render(reports.smallest())
    assert 'id="training"' not in html
    assert ".matrix" not in html


def test_figures_come_with_their_intervals(tab: Page, tmp_path: Path) -> None:
    record = RECORDS["flowers"]
    show(tab, record, tmp_path)
    tiles = tab.locator("#training .tiles").inner_text()
    assert record.test is not None
    assert record.none_of_these is not None
    assert record.none_of_these.let_through is not None
    for share in (
        record.out_of_fold.accuracy,
        record.test.accuracy,
        record.none_of_these.let_through,
    ):
        for figure in (
            f"{100 * share.value:.1f} %",
            f"{100 * share.low:.1f} … {100 * share.high:.1f} %",
        ):
            assert figure in tiles
    rows = tab.locator(".tag-names").first.locator("tbody tr").all_inner_texts()
    recalls = {each.tag: each.recall for each in record.out_of_fold.tags}
    shown = [row.split("\t")[0].strip() for row in rows]
    assert shown == sorted(recalls, key=lambda tag: recalls[tag].value)  # type: ignore[union-attr]
    for tag, row in zip(shown, rows, strict=True):
        recall = recalls[tag]
        assert recall is not None
        assert f"{100 * recall.value:.1f} %" in row
        assert f"{100 * recall.low:.1f} … {100 * recall.high:.1f}" in row
    attempts = tab.locator(".attempts tbody tr").all_inner_texts()
    assert "Accepted." in attempts[0]
    assert "+0.6 … +7.4" in attempts[0]
    assert "Not accepted." in attempts[1]


def test_the_matrix_has_the_records_counts_and_leads_to_the_photos(
    tab: Page, tmp_path: Path
) -> None:
    record = RECORDS["flowers"]
    show(tab, record, tmp_path)
    table = tab.locator(".matrix").first
    cells = [
        [int(cell or 0) for cell in row.locator("td").all_inner_texts()]
        for row in table.locator("tbody tr").all()
    ]
    assert cells == [list(row) for row in record.out_of_fold.confusion]
    assert table.locator("thead th").all_inner_texts()[1:] == list(record.tags)
    for link in tab.locator(".matrix a").all():
        place = link.get_attribute("href")
        assert place is not None
        assert tab.locator(place).locator("img").count() == min(
            int(link.inner_text()), training.OF_A_PAIR
        )
    wrong = sum(map(sum, record.out_of_fold.confusion)) - record.out_of_fold.accuracy.hits
    linked = [int(link.inner_text()) for link in table.locator("a").all()]
    assert sum(linked) == wrong


def test_a_cells_colour_is_its_share_of_the_row() -> None:
    record = RECORDS["flowers"]
    chapter = training_chapter.chapter(report_of(record))
    assert chapter is not None
    for row in chapter.judged[0].matrix:
        for cell in row:
            assert (cell.shade == 0) == (cell.photos == 0)
            assert 10 * cell.photos / 40 <= cell.shade < 10 * cell.photos / 40 + 1


def test_hostile_texts_stay_texts(tab: Page, tmp_path: Path) -> None:
    show(tab, RECORDS["hostile"], tmp_path)
    assert tab.locator("script, iframe, object, [onerror], [style]").count() == 0
    assert tab.title() == "Report: tiny"
    shown = tab.locator(".tag-names tbody th").all_inner_texts()
    assert sorted(shown) == sorted(HOSTILE)


@pytest.mark.parametrize("which", RECORDS)
def test_the_photos_that_are_asked_for_are_those_that_are_shown(which: str) -> None:
    report = report_of(RECORDS[which])
    photos = {name: f"{PICTURE}#{name}" for name in report.training_thumbnails}
    tests = {name: f"{PICTURE}#test {name}" for name in report.test_thumbnails}
    new = {"training_thumbnails": photos, "test_thumbnails": tests}
    html = page.render(report.model_copy(update=new))
    shown = {found for found in re.findall(r'<img src="([^"]*)"', html) if "#" in found}
    assert len(shown) == len(photos) + len(tests) < 250
    assert "no-picture" not in html.split("<section", 2)[2].split('id="bytes"')[0]


def test_a_photo_that_is_gone_leaves_its_place(tab: Page, tmp_path: Path) -> None:
    report = report_of(RECORDS["flowers"]).model_copy(
        update={"training_thumbnails": {}, "test_thumbnails": {}}
    )
    path = tmp_path / "report.html"
    path.write_text(page.render(report), "utf-8")
    tab.goto(path.as_uri())
    assert tab.locator("#training img").count() == 0
    box = tab.locator(".strip .no-picture").first.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (64, 64)


def test_the_choice_is_explained_where_the_explanation_holds() -> None:
    record = RECORDS["flowers"]
    assert "is of the smallest size among those" in page.render(report_of(record))
    asked = tuple(
        one.model_copy(update={"chosen": place == 0}) for place, one in enumerate(record.candidates)
    )
    html = page.render(report_of(record.model_copy(update={"candidates": asked})))
    assert "is of the smallest size among those" not in html


def test_a_record_and_its_report_are_read_as_they_were_written(tmp_path: Path) -> None:
    for which in ("least", "several tags a photo", "hostile"):
        record = RECORDS[which]
        (tmp_path / training.FILE).write_text(record.to_json(), "utf-8")
        assert training.read(tmp_path / training.FILE) == record
        report = report_of(record)
        again = build_report.Report.model_validate_json(report.to_json())
        assert again == report
        assert page.render(again) == page.render(report)


def photos_of(record: training.Training, folder: Path) -> None:
    """Write a photo for each one that the record shows."""
    for place, names in zip(
        (record.photos.folder, record.test_folder),
        training_chapter.shown_photos(record),
        strict=True,
    ):
        for name in names:
            path = folder / (place or "") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 30), "red").save(path, "JPEG")


def test_thumbnails_are_made_once_and_again_when_a_photo_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = trainings.record(suspects=2)
    photos_of(record, tmp_path)
    store = Store(tmp_path / "cache")
    bare = reports.smallest()
    assert report_files.with_training(bare, None, store) == bare
    model = TrainedModel(
        tmp_path, Declared(), tmp_path / "photos", tmp_path / str(record.test_folder), record
    )
    first = report_files.with_training(bare, model, store)
    own, test = training_chapter.shown_photos(record)
    assert first.training == record
    assert (*first.training_thumbnails,) == own
    assert (*first.test_thumbnails,) == test
    with monkeypatch.context() as patch:
        patch.setattr(thumbnails, "of", lambda *_: pytest.fail("they are in the cache"))
        assert report_files.with_training(bare, model, store) == first

    changed = tmp_path / "photos" / own[0]
    Image.new("RGB", (80, 30), "blue").save(changed, "JPEG")
    (tmp_path / "photos" / own[1]).unlink()
    second = report_files.with_training(bare, model, store)
    assert second.training_thumbnails[own[0]] != first.training_thumbnails[own[0]]
    assert own[1] not in second.training_thumbnails
    assert second.test_thumbnails == first.test_thumbnails

    without = report_files.with_training(bare, replace(model, photos=None), store)
    assert (without.training, without.training_thumbnails) == (record, {})


def test_the_site_of_a_trained_model_has_the_chapter(
    tiny: Path, session_store: Store, tmp_path: Path
) -> None:
    record = trainings.record()
    photos_of(record, tmp_path)
    model = tmp_path / "flowers.model"
    shutil.copytree(tiny, model / trained.MODEL)
    (model / training.FILE).write_text(record.to_json(), "utf-8")
    (model / trained.DECLARATIONS).write_text('[training]\nphotos = "../photos"\n', "utf-8")
    options = BuildOptions(
        Request(str(model), lockfile=tmp_path / "toolchain.lock.json"),
        tmp_path / "site",
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
        weights=Stored("float16"),  # a recipe would compare the photos with the record's digest
    )
    report = build(options, store=session_store)
    own, _ = training_chapter.shown_photos(record)
    assert report.training == record
    assert (*report.training_thumbnails,) == own
    assert build_report.read(tmp_path / "site") == report
    assert 'id="training"' in (tmp_path / "site" / "report.html").read_text("utf-8")


def test_a_build_of_the_same_site_has_the_present_training(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    old = report_of(trainings.record(seed=1))
    report_files.write(site, old)
    new = report_of(RECORDS["flowers"]).model_copy(update={"measurements": (), "evaluation": None})
    found = report_files.with_what_was_found(new, site)
    assert found.training == RECORDS["flowers"]
    kept = build_report.read(site)
    assert (kept.training, kept.training_thumbnails) == (found.training, found.training_thumbnails)
    assert kept.evaluation == found.evaluation == old.evaluation is not None
    assert page.render(kept) == (site / "report.html").read_text("utf-8")
    before = {path: path.stat().st_mtime_ns for path in site.iterdir()}
    report_files.with_what_was_found(new, site)
    assert {path: path.stat().st_mtime_ns for path in site.iterdir()} == before
