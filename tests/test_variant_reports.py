"""What is written of a site's variants, and what reads it; how they are built and refused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests import command_line, tiny_models
from tests.browser import SAMPLES
from tests.variant_site import FIRST, OTHERS, Site, variant_site
from toolchain.errors import BadInputError
from toolchain.evaluation.stage import EvaluationOptions
from toolchain.pipeline.evaluate import evaluate
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.report import alternatives, budget, diff, page
from toolchain.site import contract as contracts
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("page")


@pytest.fixture(scope="module")
def site(shared: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return variant_site(shared, tmp_path_factory.mktemp("variants"), session_store)


def test_the_report_tells_of_each_variant(site: Site) -> None:
    report = site.report
    assert build_report.read(site.folder) == report
    assert report.quantization == FIRST
    assert [one.name for one in report.variants] == OTHERS
    mixed, uint8 = report.variants
    assert mixed.plan is not None
    assert mixed.plan.recipe == "mixed"
    assert mixed.verdict is not None
    assert (uint8.plan, uint8.verdict) == (None, None)
    stages = [stage.name for stage in report.stages]
    assert stages[1:-3] == ["convert", "mixed: convert", "mixed: quantize", "uint8: convert"]
    files = [file for file in report.files if file.kind == "variants"]
    assert {file.path.split("/")[1] for file in files} == set(OTHERS)
    assert report.totals["variants"].raw == sum(file.raw for file in files)
    for one in report.variants:
        (path,) = site.place(one.name).glob("contract.*.bin")
        contract = contracts.read(path.read_bytes())
        assert contract.model.quantization == one.name
        assert (site.folder / contract.model.url).is_file()
        brotli = {file.path.split("/")[-1]: file.brotli for file in files}
        parts = (one.artifacts.model_json, *one.artifacts.shards)
        assert one.bytes == sum(brotli[part] for part in parts)


def test_what_reads_reports_tells_of_variants(site: Site, tmp_path: Path) -> None:
    report = site.report
    names = [one.name for one in alternatives.alternatives(report)]
    assert names[:3] == ["This site's model", *(f"This site's variant {name}" for name in OTHERS)]
    assert "The converter's uint8" not in names
    html = page.render(report)
    assert "of-variants" in html
    assert "Plan of the variant mixed" in html
    # A report of a site from before there were variants.
    totals = {kind: size for kind, size in report.totals.items() if kind != "variants"}
    old = report.model_copy(update={"variants": (), "totals": totals})
    old = build_report.Report.model_validate_json(old.to_json())
    limits = tmp_path / "budget.toml"
    limits.write_text("[bytes]\nvariants = 1\n", "utf-8")
    found = [budget.check(one, budget.read(limits), site.folder)[0].found for one in (old, report)]
    assert found == [0, report.totals["variants"].brotli]
    rows = {row.name: row for row in diff.compare(old, report).differences}
    assert rows["variants"].old is None
    assert rows["variants"].new == report.totals["variants"].brotli


def test_a_variant_can_be_evaluated(site: Site, session_store: Store) -> None:
    options = EvaluationOptions(
        Request(str(site.folder)), SAMPLES, reference=Request(str(site.folder)), variant="uint8"
    )
    found = evaluate(options, store=session_store, progress=Silent())
    assert (found.model.form, found.reference and found.reference.form) == (
        "site, uint8",
        f"site, {FIRST}",
    )
    # It names no sample as float16 does, and the report keeps what it says of float16.
    assert found.verdict.agreement is not None
    assert found.verdict.agreement.hits == 0
    assert build_report.read(site.folder).evaluation is None
    with pytest.raises(BadInputError, match=r"no variant auto; it has float16, mixed, uint8$"):
        evaluate(replace(options, variant="auto"), store=session_store, progress=Silent())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-q", "int8", "--variant", "tiny"), "--quantize and --variant both say how to store"),
        (("--variant", "tiny", "--variant", "tiny"), "--variant tiny is given twice"),
        (("--variant", "tiny", "--variant", "huge"), "--variant huge is not known; it is one of"),
    ],
)
def test_variants_that_cannot_be_are_refused_in_a_sentence(
    words: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    done = command_line.run_here(capfd, "build", "-m", "embedded", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_builds_variants_and_prints_a_line_for_each(
    tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    words: tuple[str | Path, ...] = (
        "build",
        "-m",
        tiny,
        "--labels",
        labels,
        "--value-range",
        "0,1",
    )
    words = (*words, "--calibration", SAMPLES, "--out", tmp_path / "site")
    done = command_line.run_here(capfd, *words, "--variant", FIRST, "--variant", "mixed")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("Variant ")]
    said = r"Variant mixed: \d+ B after Brotli, [\d.]+ bits each, expected drop of top-1 .*\."
    assert re.fullmatch(said, line)
    one = command_line.run_here(capfd, *words, "--variant", FIRST)
    assert "Variant" not in one.stdout
    html = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "variant" not in html.partition('<template id="strings">')[0]
    assert "variant-choice" not in html
