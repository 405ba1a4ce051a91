"""The build end to end, on a tiny model: what it writes, what it keeps, what nothing breaks."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import brotli
import pytest

from tests import command_line, tiny_models
from tests.built_site import (
    FOR_HOSTS,
    OF_BUILD,
    REPORT,
    Site,
    assert_whole,
    beside,
    built_site,
    contents,
    originals,
    replace_labels,
)
from toolchain import digest
from toolchain.pipeline.build import build
from toolchain.progress import Silent
from toolchain.records import build_report, site_files
from toolchain.site import headers
from toolchain.site.configuration import PageOptions

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("build")


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return built_site(tiny, tmp_path_factory.mktemp("built"), session_store)


def test_the_report_says_what_was_built_from_what(site: Site, tiny: Path) -> None:
    report = assert_whole(site.options.out)
    assert report == site.report
    assert report.requested == str(tiny)
    assert report.card.provenance.sha256 == digest.of_tree(tiny)
    assert report.card.provenance.source == "tiny"
    assert report.card.labels == tiny_models.names()
    assert report.notice is None
    assert report.assumptions == ()
    assert report.quantization == "float16"
    assert report.source_graph.parameters == report.artifacts.parameters == 133
    stages = ["source", "convert", "render", "smoke test", "precompress"]
    assert [stage.name for stage in report.stages] == stages
    (tested,) = report.smoke_tests
    assert (tested.name, tested.by) == ("float16", "node")
    assert tested.same_first == tested.pictures > 0
    assert tested.page_difference is not None
    assert tested.page_difference < 1e-4
    assert 0 < tested.source_difference < 1e-2


def test_the_report_has_the_form_that_its_schema_promises(site: Site) -> None:
    import json

    promised = build_report.json_schema()
    report = json.loads((site.options.out / "report.json").read_text("utf-8"))
    assert set(report) == set(promised["properties"]) == {"schema", *promised["required"]}
    assert promised["additionalProperties"] is False
    assert build_report.Report.model_validate(report) == site.report


def test_the_totals_are_sums_and_name_every_kind(site: Site) -> None:
    totals = site.report.totals
    assert tuple(totals) == site_files.KINDS
    for encoding in ("raw", "gzip", "brotli"):
        assert sum(getattr(total, encoding) for total in totals.values()) == sum(
            getattr(file, encoding) for file in site.report.files
        )
    nothing = site_files.FileSize(raw=0, gzip=0, brotli=0)
    assert [kind for kind, total in totals.items() if total == nothing] == ["preview", "variants"]
    assert all(total.raw >= total.gzip >= total.brotli for total in totals.values())


def test_compressed_files_are_the_originals_and_as_small_as_reported(site: Site) -> None:
    files = contents(site.options.out)
    for file in site.report.files:
        for suffix, size, unpack in (
            (".gz", file.gzip, gzip.decompress),
            (".br", file.brotli, brotli.decompress),
        ):
            encoded = files.pop(file.path + suffix, None)
            if encoded is None:
                assert size == file.raw
            else:
                assert len(encoded) == size < file.raw
                assert unpack(encoded) == files[file.path]
        del files[file.path]
    assert set(files) == REPORT | FOR_HOSTS


def test_all_names_but_those_that_others_refer_to_bear_a_hash_of_the_content(site: Site) -> None:
    kept = ("index.html", "404.html", "sw.js", *site_files.COMPONENT)
    assert {headers.cache_control(name) for name in site_files.COMPONENT} == {headers.REVALIDATED}
    for name, content in originals(site.options.out).items():
        if name in (*kept, *REPORT, *FOR_HOSTS):
            continue
        if name.startswith("assets/"):  # Vite's
            assert re.search(r"-[\w-]{8}\.\w+$", name), name
        else:
            found = re.search(r"\.([0-9a-f]{16})\.\w+$", name)
            assert found, name
            assert found[1] == digest.of_bytes(content)[:16]


def test_the_page_names_files_that_are_there(site: Site) -> None:
    files = originals(site.options.out)
    page = files["index.html"].decode()
    named = re.findall(r'(?:src|href|data-contract)="((?!https?:|data:|#)[^"]+)"', page)
    assert len(named) >= 4
    assert [name for name in named if name not in files] == []


def test_another_label_changes_the_contract_and_not_the_model(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    labels = ("another thing", *tiny_models.names()[1:])
    declared = replace_labels(site.options.declared, labels)
    options = replace(site.options, out=tmp_path / "site", declared=declared)
    build(options, store=session_store, progress=Silent())
    before, after = originals(site.options.out), originals(options.out)
    (gone,) = before.keys() - after.keys()
    (came,) = after.keys() - before.keys()
    assert gone.startswith("contract.")
    assert came.startswith("contract.")
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert changed == {
        *("index.html", "sw.js", "tagger.json", "_headers", "build-info.json"),
        *OF_BUILD,
    }


def test_the_same_build_keeps_the_conversion_and_the_folder(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    out = site.copy(tmp_path / "site")
    before, files = out.stat().st_ino, contents(out)
    report = build(replace(site.options, out=out), store=session_store, progress=Silent())
    assert [stage.name for stage in report.stages if stage.reused] == ["convert", "smoke test"]
    assert out.stat().st_ino == before
    assert contents(out) == files
    assert beside(out) == []


@pytest.mark.parametrize("quantize", ["float16", "auto"])
def test_the_same_build_imports_no_tensorflow(site: Site, tmp_path: Path, quantize: str) -> None:
    script = (
        "import atexit, sys\n"
        "slow = ('tensorflow', 'keras', 'tf_keras', 'tensorflowjs', 'tensorflow_hub')\n"
        "atexit.register(lambda: print([name for name in slow if name in sys.modules]))\n"
        "from toolchain.cli import main\n"
        "main()\n"
    )

    def run(out: Path) -> list[str]:
        words = [*map(str, site.words), "--quantize", quantize, "--out", str(out)]
        done = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    first = site.options.out
    if quantize != "float16":
        first = tmp_path / "first"
        run(first)
    *table, imported = run(tmp_path / "site")
    assert imported == "[]"
    (times,) = (line for line in table if " seconds: " in line)
    kept = re.findall(r"([a-z ]+) [\d.]+ \(cached\)", times)
    stages = ["convert", *([] if quantize == "float16" else ["quantize"]), "smoke test"]
    assert [name.strip() for name in kept] == stages
    again, before = contents(tmp_path / "site"), contents(first)
    assert {name for name in again if again[name] != before[name]} <= REPORT
    assert again.keys() == before.keys()


def test_a_title_changes_the_page_alone(site: Site, session_store: Store, tmp_path: Path) -> None:
    options = replace(
        site.options, out=tmp_path / "site", page=PageOptions(title="Tools & <things>")
    )
    build(options, store=session_store, progress=Silent())
    before, after = originals(site.options.out), originals(options.out)
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"index.html", "sw.js", "build-info.json", *OF_BUILD}
    assert b"<title>Tools &amp; &lt;things&gt;</title>" in after["index.html"]


def test_inspect_reads_a_built_site(site: Site) -> None:
    done = command_line.run("inspect", site.options.out)
    assert done.returncode == 0
    assert "TF.js graph model, float16" in done.stdout
    assert re.search(r"^parameters +133$", done.stdout, re.MULTILINE)
