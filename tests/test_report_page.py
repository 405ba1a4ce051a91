"""The page beside the report, in a real Chromium and by what it draws."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests import reports
from toolchain import units
from toolchain.errors import BadInputError, ToolchainError
from toolchain.metrics import multi_label
from toolchain.records import build_report, site_files, visit_figures
from toolchain.report import alternatives, page, report_files, sections, thumbnails

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("report")

HOSTILE = "<img src=x onerror=alert(1)></title><script>alert(2)</script> & \"'"
SECTIONS = {
    "bare": ["summary", "bytes", "layers", "tensors", "beside", "more", "build"],
    "full": [
        *("summary", "bytes", "layers", "front", "tensors"),
        *("load", "waterfall", "beside", "changes", "build"),
    ],
}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reported") / "site"
    reports.tiny_site(tiny, out, session_store)
    return out


@pytest.fixture(scope="module")
def bare(site: Path) -> build_report.Report:
    """Return a report of a build that nothing was found out of."""
    return build_report.read(site)


@pytest.fixture(scope="module")
def full(bare: build_report.Report) -> build_report.Report:
    """Return a report with all that can be found, and texts of somebody who means harm."""
    picture = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    evaluation = reports.evaluation(bare, (HOSTILE, "spoon"), ("a" * 300, HOSTILE))
    provenance = bare.card.provenance.model_copy(
        update={"name": HOSTILE, "licence": HOSTILE, "source": "x" * 200}
    )
    assert bare.plan is not None
    tensors = tuple(
        tensor.model_copy(update={"name": f"{HOSTILE} {number}"})
        for number, tensor in enumerate(bare.plan.tensors)
    )
    return bare.model_copy(
        update={
            "card": bare.card.model_copy(update={"provenance": provenance}),
            "requested": HOSTILE,
            "notice": HOSTILE,
            "assumptions": (HOSTILE,),
            "plan": bare.plan.model_copy(update={"tensors": tensors}),
            "evaluation": evaluation,
            "thumbnails": {evaluation.changed[0].photo: picture},
            "front": reports.front(bare),
            "measurements": (
                reports.measurement("4g", 1234, 456),
                reports.measurement("slow-3g", 12_340, 470),
            ),
        }
    )


def test_labels_that_were_found_in_photos_are_counted(bare: build_report.Report) -> None:
    scores, truth = np.array([[0.9, 0.2], [0.6, 0.7]]), np.array([[True, False], [False, True]])
    found = multi_label.judge(scores, truth, 1 - scores, threshold=0.5)
    judged = reports.evaluation(bare, ("a", "b")).model_copy(update={"multi_label": found})
    shown = page.render(bare.model_copy(update={"evaluation": judged}))
    assert "On the labels of 2 photos: mAP 100.0 % (" in shown
    assert "drop -50.0 points (" in shown
    assert "F1, micro 80.0 % (" in shown
    assert "On the labels of" not in page.render(bare)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1280])
@pytest.mark.parametrize("which", ["bare", "full"])
def test_it_opens_from_the_disk_and_fits_every_window(
    browser: Browser,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    which: str,
    width: int,
    scheme: str,
) -> None:
    path = tmp_path / "report.html"
    path.write_text(page.render(request.getfixturevalue(which)), "utf-8")
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    asked: list[str] = []
    said: list[str] = []
    # An alert would be a dialog, and Playwright waits for nobody to answer it.
    tab.add_init_script("globalThis.alert = (words) => console.error(words)")
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(path.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert said == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    shown_sections = tab.locator("main > section").evaluate_all("(all) => all.map(({ id }) => id)")
    assert shown_sections == SECTIONS[which]
    for name in shown_sections:
        assert tab.locator(f"#{name}").bounding_box()["height"] > 20, name  # type: ignore[index]
    shown = tab.evaluate(
        "[...document.querySelectorAll('svg')].filter((one) => one.checkVisibility())"
        ".map((one) => one.getBoundingClientRect().width)"
    )
    assert len(shown) == (9 if which == "full" else 5)
    assert min(shown) > 0.6 * min(width, 400)
    dark = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", dark)[:3])) < 300) == (scheme == "dark")
    tab.close()


def test_hostile_texts_stay_texts(
    browser: Browser, tmp_path: Path, full: build_report.Report
) -> None:
    path = tmp_path / "report.html"
    path.write_text(page.render(full), "utf-8")
    tab = browser.new_page()
    tab.goto(path.as_uri())
    assert tab.locator("script, iframe, object, [onerror], [style]").count() == 0
    assert tab.locator("h1").inner_text() == " ".join(HOSTILE.split())
    assert tab.title() == f"Report: {HOSTILE}"
    assert tab.locator("#changes del").first.inner_text() == " ".join(HOSTILE.split())
    named = tab.locator("#layers svg title").first.text_content()
    assert named is not None
    assert HOSTILE in named
    assert tab.locator("#changes img").count() == 1
    tab.close()


def test_what_was_not_found_names_the_command_that_finds_it(bare: build_report.Report) -> None:
    html = page.render(bare)
    for command in ("measure SITE --network 4g", "evaluate SITE PHOTOS", "tune MODEL --site SITE"):
        assert f"<code>toolchain {command}</code>" in html
    stored = page.render(bare.model_copy(update={"plan": None, "verdict": None}))
    assert "toolchain build --quantize auto" in stored


def test_the_first_figure_is_what_a_visitor_downloads_of_float32_and_now(
    bare: build_report.Report,
) -> None:
    html = page.render(bare)
    first, _ = re.findall(r"<dd>(.*?) <small>", html)[:2]
    graph = {file.path: file.brotli for file in bare.files}[f"model/{bare.artifacts.model_json}"]
    float32 = graph + 4 * bare.artifacts.parameters
    now = alternatives.alternatives(bare)[0].bytes
    assert first == f"{units.size(float32)} → {units.size(now)}"
    assert html.index(first) < html.index("All files, after Brotli")
    # What is unknown has no tile and no section.
    assert "<dt>First tag</dt>" not in html
    assert "<svg" not in html[html.index('id="more"') :]


def test_what_was_found_is_shown(full: build_report.Report) -> None:
    html = page.render(full)
    for figure in ("1.23 s", "12.3 s", "456 ms", "1.5 points lost", "2 of 100", "553 MB", "56.0"):
        assert figure in html, figure
    for command in ("toolchain measure", "toolchain evaluate", "toolchain tune"):
        assert command not in html


def test_the_policy_allows_the_style_by_its_hash_and_nothing_else(
    bare: build_report.Report,
) -> None:
    html = page.render(bare)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_same_report_gives_the_same_page(full: build_report.Report) -> None:
    again = build_report.Report.model_validate_json(full.to_json())
    assert again == full
    assert page.render(again) == page.render(full)


def test_areas_are_bytes(bare: build_report.Report) -> None:
    chart = sections.kinds(bare)
    for drawing in (chart.wide, chart.narrow):
        areas: dict[str, float] = {}
        for group in ET.fromstring(drawing).iter(f"{SVG}g"):  # noqa: S314 - it is our own
            kind = group.get("class", "").removeprefix("series of-")
            if kind in site_files.KINDS:
                areas[kind] = sum(
                    float(mark.get("width", 0)) * float(mark.get("height", 0))
                    for mark in group.iter(f"{SVG}rect")
                )
        brotli = {kind: total.brotli for kind, total in bare.totals.items() if total.brotli}
        assert areas.keys() == brotli.keys()
        scale = sum(areas.values()) / sum(brotli.values())
        assert areas == pytest.approx({kind: scale * size for kind, size in brotli.items()})


def test_bars_of_the_waterfall_begin_where_their_part_did() -> None:
    measured = reports.measurement("4g", 1000, 500)

    def bars(one: visit_figures.Measurement) -> list[tuple[float, float]]:
        """Return where each bar of the first visit begins and ends, from the top."""
        chart = ET.fromstring(sections.waterfall(one).wide)  # noqa: S314 - it is our own
        marks = [
            (float(mark.get("y", 0)), float(mark.get("x", 0)), float(mark.get("width", 0)))
            for group in chart.iter(f"{SVG}g")
            if group.get("class") == "series first"
            for mark in group.iter(f"{SVG}rect")
        ]
        return [(x, x + width) for _, x, width in sorted(marks)]

    html, model, first_tag = bars(measured)
    scale = (first_tag[1] - html[0]) / 1000
    expected = [(0, 250), (125, 500), (750, 1000)]
    for (begun, ended), (start, end) in zip((html, model, first_tag), expected, strict=True):
        assert begun - html[0] == pytest.approx(scale * start, abs=0.1)
        assert ended - html[0] == pytest.approx(scale * end, abs=0.1)
    # A report of before knows only when they ended.
    ends = measured.first.model_copy(update={"begun_ms": {}})
    older = measured.model_copy(update={"first": ends, "repeat": ends})
    assert [begun for begun, _ in bars(older)] == pytest.approx(3 * [html[0]])
    content = json.loads(ends.model_dump_json())
    del content["begun_ms"]
    assert visit_figures.VisitFigures.model_validate(content) == ends


def test_the_site_stands_beside_the_converters_weights_and_vgg16(
    bare: build_report.Report, full: build_report.Report
) -> None:
    own, float16, uint8, vgg16 = alternatives.alternatives(bare)
    files = {file.path: file.brotli for file in bare.files}
    artifacts = bare.artifacts
    assert own.bytes == sum(
        files[f"model/{name}"] for name in (artifacts.model_json, *artifacts.shards)
    )
    assert (float16.bytes, uint8.bytes) == (2 * artifacts.parameters, artifacts.parameters)
    assert (float16.accuracy, uint8.accuracy) == (None, None)
    assert vgg16.bytes == pytest.approx(553e6, rel=0.002)
    _, float16, uint8, _ = alternatives.alternatives(full)
    assert (float16.bytes, uint8.bytes) == (1_600_000, 800_000)
    assert uint8.accuracy is not None
    assert "drop of top-1 56.0 points" in uint8.accuracy


def test_a_build_of_the_same_site_keeps_what_was_found(
    site: Path, bare: build_report.Report, tiny: Path, session_store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    shutil.copytree(site, out)
    report_files.keep_front(out, bare, reports.front(bare))
    report_files.keep_evaluation(out, bare, reports.evaluation(bare, ("fork", "spoon")))
    kept = build_report.read(out)
    assert kept.front == reports.front(bare)
    assert ">fork</del>" in (out / "report.html").read_text("utf-8")
    again = reports.tiny_site(tiny, out, session_store)
    assert (again.front, again.evaluation) == (kept.front, kept.evaluation)
    assert build_report.read(out) == kept

    (out / "report.json").write_text('{"schema": 0}', "utf-8")
    assert reports.tiny_site(tiny, out, session_store).front is None
    assert build_report.read(out).evaluation is None


def test_findings_of_another_site_or_model_are_refused(
    site: Path, bare: build_report.Report, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    shutil.copytree(site, out)
    before = {path: path.read_bytes() for path in out.glob("report.*")}
    other = bare.card.provenance.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(BadInputError, match=r"was built from .*, not from"):
        report_files.require_same_model(out, bare, other)
    rebuilt = bare.model_copy(update={"files": bare.files[1:]})
    with pytest.raises(ToolchainError, match="rebuilt while it was examined"):
        report_files.keep_evaluation(out, rebuilt, reports.evaluation(bare))
    assert {path: path.read_bytes() for path in out.glob("report.*")} == before


def test_thumbnails_are_small_upright_and_tell_nothing_else(tmp_path: Path) -> None:
    from PIL import Image

    photo = Image.new("RGB", (600, 300), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "A camera"
    photo.save(tmp_path / "red.jpg", exif=exif)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    found = thumbnails.of(tmp_path, ["red.jpg", "broken.jpg", "missing.jpg"])
    assert list(found) == ["red.jpg"]
    content = base64.b64decode(found["red.jpg"].removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(content)) as small:
        assert small.size == (64, 128)
        assert not small.getexif()
    assert b"A camera" not in content
