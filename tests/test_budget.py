"""A budget: what it allows, which line is broken, and what cannot be checked."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests import command_line, reports, tiny_models
from toolchain import cli, units
from toolchain.errors import BadInputError
from toolchain.records import build_report
from toolchain.report import budget, report_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def bare(
    tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> build_report.Report:
    out = tmp_path_factory.mktemp("limited") / "site"
    return reports.tiny_site(tiny, out, session_store)


@pytest.fixture
def report(bare: build_report.Report) -> build_report.Report:
    """Return a report that tags first after 2 s on 4G and lost 1.5 points."""
    measured = reports.measurement("4g", 2000, 400)
    plain = reports.measurement("4g", 9000, 400).model_copy(update={"host": "plain"})
    return bare.model_copy(
        update={
            "measurements": (plain, measured),
            "evaluation": reports.evaluation(bare, drop=1.5),
        }
    )


@pytest.fixture
def limits(tmp_path: Path) -> Callable[[str], budget.Budget]:
    def read(text: str) -> budget.Budget:
        path = tmp_path / "budget.toml"
        path.write_text(text, "utf-8")
        return budget.read(path)

    return read


TEXT = """# What we promised
[bytes]
total = "20MB"
model = 10   # bytes

[first_tag]
4g = "1500 ms"

[accuracy]
drop = 2
"""


def test_every_limit_is_compared_with_what_was_found(
    report: build_report.Report, limits: Callable[[str], budget.Budget], tmp_path: Path
) -> None:
    found = budget.check(report, limits(TEXT), tmp_path)
    assert [(one.limit, one.line, one.over) for one in found] == [
        ("bytes.total", 3, False),
        ("bytes.model", 4, True),
        ("first_tag.4g", 7, True),
        ("accuracy.drop", 10, False),
    ]
    total, model, time, drop = found
    assert total.allowed == 20_000_000
    assert total.found == sum(part.brotli for part in report.totals.values())
    assert model.found == report.totals["model"].brotli
    # Of measurements on the same network, the one that `measure` takes by itself.
    assert (time.allowed, time.found) == (1500, 2000)
    assert (drop.allowed, drop.found) == (2, 1.5)


def test_what_is_broken_is_named_with_its_line_and_by_how_much(
    report: build_report.Report, limits: Callable[[str], budget.Budget], tmp_path: Path
) -> None:
    read = limits(TEXT)
    with pytest.raises(budget.OverBudgetError) as broken:
        budget.enforce(budget.check(report, read, tmp_path), read)
    assert broken.value.exit_code == 1
    model, time = str(broken.value).split("; ")
    assert model.startswith(f"{read.path}:4: bytes.model allows 10 B and the site has ")
    assert time == (
        f"{read.path}:7: first_tag.4g allows 1.50 s and the site has 2.00 s, 500 ms (33%) too much"
    )


def test_just_as_much_as_is_allowed_is_kept(
    report: build_report.Report, limits: Callable[[str], budget.Budget], tmp_path: Path
) -> None:
    model = report.totals["model"].brotli
    exact = limits(f'[bytes]\nmodel = "{model}"\n[first_tag]\n"4g" = "2s"\n')
    budget.enforce(budget.check(report, exact, tmp_path), exact)
    less = limits(f'[bytes]\nmodel = "{model - 1}"\n')
    with pytest.raises(budget.OverBudgetError):
        budget.enforce(budget.check(report, less, tmp_path), less)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[first_tag]\n4g = "3 s"', r"budget.toml:2: .*toolchain measure site --network 4g`"),
        (
            '[first_tag]\n"9mbit, 170ms" = "3 s"',
            r"budget.toml:2: .*toolchain measure site --network '9mbit, 170ms'`",
        ),
        ("\n[accuracy]\ndrop = 1", r"budget.toml:3: .*toolchain evaluate site PHOTOS`"),
        ("accuracy = { drop = 1 }", r"budget.toml: accuracy.drop .*toolchain evaluate"),
    ],
)
def test_what_was_not_measured_names_the_command_that_does(
    bare: build_report.Report,
    limits: Callable[[str], budget.Budget],
    tmp_path: Path,
    text: str,
    named: str,
) -> None:
    # Generated pictures let expect a drop; they do not measure one.
    assert bare.evaluation is None
    with pytest.raises(BadInputError, match=named):
        budget.check(bare, limits(text), tmp_path.relative_to(tmp_path.parent).with_name("site"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "sets no limit"),
        ("[bytes]\n", "sets no limit"),
        ('[bytes]\nmodels = "2MB"', "bytes.models"),
        ('[bytes]\nmodel = "much"', r"bytes.model: much is not a size"),
        ("[bytes]\nmodel = true", "bytes.model"),
        ('[first_tag]\n4g = "3"', "first_tag.4g: 3 is not a time"),
        ("[accuracy]\ndrop = -1", "accuracy.drop"),
        ("[accuracy]\ntop1 = 70", "accuracy.top1"),
        ("[speed]\n", "speed"),
        ("bytes = 3", "bytes"),
        ("[bytes", "cannot be read as TOML"),
    ],
)
def test_what_is_no_budget_is_one_sentence(
    limits: Callable[[str], budget.Budget], text: str, named: str
) -> None:
    with pytest.raises(BadInputError, match=named) as fault:
        limits(text)
    assert "budget.toml" in str(fault.value)
    assert "\n" not in str(fault.value).partition("TOML:")[0]


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


def test_a_broken_budget_fails_the_command(
    report: build_report.Report,
    limits: Callable[[str], budget.Budget],
    toolchain: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    path = limits(TEXT).path
    site = tmp_path / "site"
    site.mkdir()
    report_files.write(site, report)
    words = ("report", "check", site, "--budget", path)
    code, out, err = toolchain(*words)
    assert code == 1
    assert "bytes.model" in out
    (line,) = err.splitlines()
    assert line.startswith(f"toolchain: {path}:4: bytes.model allows 10 B")

    code, out, _ = toolchain(*words, "--json")
    assert code == 1
    assert [one["over"] for one in json.loads(out)] == [False, True, True, False]

    code, out, _ = toolchain(*words, "--github-summary")
    assert code == 1
    assert "### Site 2 over the budget" in out
    assert "| first&#95;tag.4g | 1.50 s | 2.00 s | OVER |" in out

    limits('[bytes]\ntotal = "20MB"\n')
    code, out, err = toolchain(*words)
    assert (code, err) == (0, "")
    assert "ok" in out


def test_a_build_is_held_to_a_budget_and_prints_what_it_is_asked_for(
    tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    path = tmp_path / "budget.toml"
    model = ("build", "-m", tiny, "--labels", labels, "--value-range", "0,1", "-q", "float16")
    words = (*model, "--out", tmp_path / "site", "--budget", path)

    path.write_text("[bytes]\n\nmodel = 5\n", "utf-8")
    done = command_line.run_here(capfd, *words, "--quiet")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"toolchain: {path}:3: bytes.model allows 5 B")
    # What is over the budget can be looked at.
    built = build_report.read(tmp_path / "site")

    path.write_text('[bytes]\ntotal = "20MB"\n', "utf-8")
    done = command_line.run_here(capfd, *words, "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert build_report.Report.model_validate_json(done.stdout).files == built.files

    path.write_text("[bites]\n", "utf-8")
    done = command_line.run_here(capfd, *words)
    assert done.returncode == 2
    assert "Reading the graph" not in done.stderr


@pytest.mark.parametrize(
    ("text", "count"),
    [("4MiB", 4 << 20), ("500 kB", 500_000), ("1.5MB", 1_500_000), ("7", 7), ("12 B", 12)],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert units.bytes_of(text) == count


@pytest.mark.parametrize(("text", "time"), [("3 s", 3000), ("900ms", 900), ("1.5s", 1500)])
def test_times_are_read(text: str, time: float) -> None:
    assert units.milliseconds_of(text) == time


@pytest.mark.parametrize(
    ("time", "text"),
    [(0, "0 ms"), (9.34, "9.3 ms"), (10, "10 ms"), (999.4, "999 ms"), (999.5, "1.00 s"),
     (9_994, "9.99 s"), (9_996, "10.0 s"), (12_340, "12.3 s")],
)  # fmt: skip
def test_times_are_written_with_three_digits(time: float, text: str) -> None:
    assert units.duration(time) == text
