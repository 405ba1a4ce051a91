"""Two reports compared: the figures, the table, the Markdown, the record."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests import reports
from toolchain import cli
from toolchain.records import build_report
from toolchain.report import report_files
from toolchain.report.diff import Comparison, Difference, compare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store


pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def report(
    tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> build_report.Report:
    out = tmp_path_factory.mktemp("compared") / "site"
    return reports.tiny_site(tiny, out, session_store)


@pytest.fixture
def old(report: build_report.Report) -> build_report.Report:
    """Return a report of a site with float16 weights, measured on two networks."""
    measured = (reports.measurement("4g", 2000, 500), reports.measurement("cable", 1500, 500))
    changes = {"measurements": measured, "plan": None, "verdict": None, "quantization": "float16"}
    return report.model_copy(update=changes)


@pytest.fixture
def new(report: build_report.Report) -> build_report.Report:
    """Return a report of the same model with a plan, half the model's bytes and a drop."""
    model = report.totals["model"]
    halved = model.model_copy(update={"brotli": model.brotli // 2})
    changes = {
        "measurements": (reports.measurement("4g", 1500, 500),),
        "totals": {**report.totals, "model": halved},
        "evaluation": reports.evaluation(report, drop=1.5),
    }
    return report.model_copy(update=changes)


@pytest.fixture
def toolchain(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["toolchain", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out, err

    return run


def named(found: Comparison, group: str, name: str) -> Difference:
    (one,) = (one for one in found.differences if (one.group, one.name) == (group, name))
    return one


def test_figures_are_subtracted_and_set_in_relation(
    old: build_report.Report, new: build_report.Report
) -> None:
    found = compare(old, new)
    before, after = old.totals["model"].brotli, new.totals["model"].brotli
    model = named(found, "bytes", "model")
    assert (model.old, model.new, model.change) == (before, after, after - before)
    assert model.percent == pytest.approx(100 * (after - before) / before)
    total = named(found, "bytes", "total")
    assert total.change == model.change
    assert total.old == sum(part.brotli for part in old.totals.values())
    first = named(found, "first tag", "4g, first visit")
    assert (first.change, first.percent) == (-500, -25)
    second = named(found, "first tag", "4g, second visit")
    assert (second.change, second.percent) == (0, 0)


def test_what_only_one_has_is_not_subtracted(
    old: build_report.Report, new: build_report.Report
) -> None:
    found = compare(old, new)
    gone = named(found, "first tag", "cable, first visit")
    assert (gone.old, gone.new, gone.change, gone.percent) == (1500, None, None, None)
    drop = named(found, "accuracy", "drop of top-1")
    assert (drop.old, drop.new, drop.change) == (None, 1.5, None)
    weights = named(found, "plan", "weights")
    assert (weights.old, weights.new, weights.change) == ("float16", "int8", None)
    assert new.plan is not None
    assert named(found, "plan", "bits a weight").new == new.plan.bits


def test_the_order_is_that_of_the_questions(
    old: build_report.Report, new: build_report.Report
) -> None:
    for found in (compare(old, new), compare(new, old)):
        groups = list(dict.fromkeys(one.group for one in found.differences))
        assert groups == ["bytes", "first tag", "accuracy", "plan"]
    # A kind that neither has says nothing.
    assert [one.name for one in found.differences if one.name == "preview"] == []


def test_a_report_does_not_differ_from_itself(new: build_report.Report) -> None:
    assert {one.change for one in compare(new, new).differences} <= {0, None}


@pytest.fixture
def folders(
    old: build_report.Report, new: build_report.Report, tmp_path: Path
) -> tuple[Path, Path]:
    for name, report in (("old", old), ("new", new)):
        (tmp_path / name).mkdir()
        report_files.write(tmp_path / name, report)
    return tmp_path / "old", tmp_path / "new" / "report.json"


def test_folders_and_files_are_compared_on_the_command_line(
    folders: tuple[Path, Path], toolchain: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = toolchain("report", "diff", *folders)
    assert (code, err) == (0, "")
    rows = {line.split("  ")[0].strip(): line for line in out.splitlines() if line.strip()}
    assert rows["first tag, 4g, first visit"].split()[5:] == (
        ["2.00", "s", "1.50", "s", "-500", "ms", "-25.0", "%"]
    )
    assert "\x1b" not in out

    code, out, _ = toolchain("report", "diff", *folders, "--json")
    assert code == 0
    record = Comparison.model_validate(json.loads(out))
    assert record == compare(build_report.read(folders[0]), build_report.read(folders[1]))


def test_markdown_goes_to_the_summary_of_the_job(
    folders: tuple[Path, Path],
    toolchain: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    words = ("report", "diff", *folders, "--github-summary")
    code, printed, _ = toolchain(*words)
    assert code == 0
    assert "| first tag, 4g, first visit | 2.00 s | 1.50 s | -500 ms | -25.0 % |" in printed

    summary = tmp_path / "summary.md"
    summary.write_text("before\n", "utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    code, out, _ = toolchain(*words)
    assert (code, out) == (0, "")
    assert summary.read_text("utf-8") == f"before\n{printed}"

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    code, _, err = toolchain(*words)
    assert code == 1
    assert "GITHUB_STEP_SUMMARY" in err


def test_markdown_shows_hostile_names_as_they_are(
    report: build_report.Report, tmp_path: Path, toolchain: Callable[..., tuple[int, str, str]]
) -> None:
    hostile = "a|b\n# <b>*x*</b> [y](z) &amp; `q`"
    provenance = report.card.provenance.model_copy(update={"name": hostile})
    card = report.card.model_copy(update={"provenance": provenance})
    report_files.write(tmp_path, report.model_copy(update={"card": card, "quantization": hostile}))
    _, out, _ = toolchain("report", "diff", tmp_path, tmp_path, "--github-summary")
    title, _, *rows = out.splitlines()
    assert title.startswith("### a&#124;b &#35; &#60;b&#62;&#42;x&#42;")
    assert "&#38;amp;" in title
    assert {row.count("|") for row in rows if row} == {6}


def test_what_is_no_site_is_bad_input(
    toolchain: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, err = toolchain("report", "diff", tmp_path, tmp_path)
    assert code == 2
    assert "has no report.json" in err
