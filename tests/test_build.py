"""The build end to end, on a tiny model: what it writes, what it keeps, what nothing breaks."""

from __future__ import annotations

import gzip
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import brotli
import pytest

from tests import command_line, tiny_models
from tests.watchdog import HANG_S, until
from toolchain import digest
from toolchain.cache.store import Store
from toolchain.errors import BadInputError, MissingToolError
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report, site_files
from toolchain.records.card import Declared
from toolchain.site import web_bundle
from toolchain.site.configuration import PageOptions
from toolchain.sources.request import Request
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("build")

OF_BUILD = {"report.json", "report.html"}
REPORT = OF_BUILD | {"report.networks.json"}
# What no visit loads.
FOR_HOSTS = {"_headers", "build-info.json", "licenses.txt", "sbom.cdx.json"}

posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


@dataclass(frozen=True)
class Site:
    """A site as it was built once; tests work on copies."""

    options: BuildOptions
    labels: Path
    report: build_report.Report

    @property
    def words(self) -> tuple[str | Path, ...]:
        """Return the command that builds the same."""
        model = self.options.request.model
        return ("build", "-m", model, "--labels", self.labels, "--value-range", "0,1")

    def copy(self, out: Path) -> Path:
        return shutil.copytree(self.options.out, out, copy_function=shutil.copy2)


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("built")
    labels = folder / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    options = BuildOptions(
        request=Request(model=str(tiny), lockfile=folder / "toolchain.lock.json"),
        out=folder / "site",
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
    )
    return Site(options, labels, build(options, store=session_store, progress=Silent()))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def originals(folder: Path) -> dict[str, bytes]:
    """Return the files that are no compressed form of another."""
    files = contents(folder)
    return {name: data for name, data in files.items() if not name.endswith((".br", ".gz"))}


def beside(out: Path) -> list[str]:
    """Return what builds have left beside the site."""
    return [path.name for path in out.parent.glob(f".{out.name}.*")]


def assert_whole(out: Path) -> build_report.Report:
    """See that the report lists exactly the files that are there."""
    report = build_report.read(out)
    found = {name: len(content) for name, content in originals(out).items()}
    assert all(found.pop(name) > 0 for name in REPORT | FOR_HOSTS)
    assert {file.path: file.raw for file in report.files} == found
    return report


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


def test_every_name_but_the_page_and_the_report_bears_a_hash_of_the_content(site: Site) -> None:
    for name, content in originals(site.options.out).items():
        if name in ("index.html", "404.html", "sw.js", *REPORT, *FOR_HOSTS):
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
    assert changed == {"index.html", "sw.js", "_headers", "build-info.json", *OF_BUILD}


def replace_labels(declared: Declared, labels: tuple[str, ...]) -> Declared:
    return Declared(labels=labels).over(declared)


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
    kept = re.findall(r"([a-z ]+) [\d.]+ \(kept\)", times)
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


def test_a_build_that_fails_leaves_the_site(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    out = site.copy(tmp_path / "site")
    files = contents(out)
    declared = replace_labels(site.options.declared, tiny_models.names(3))
    options = replace(site.options, out=out, declared=declared)
    with pytest.raises(BadInputError, match="5 classes but there are 3 labels"):
        build(options, store=session_store, progress=Silent())
    assert contents(out) == files
    assert beside(out) == []


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("<html>\n{% if title %}\n", r"index\.html\.j2, line 2: .*; mend the template"),
        ("{{ title", r"index\.html\.j2, line 1: .*; mend the template"),
        ("{{ titel }}", "template cannot be rendered: 'titel' is undefined"),
        ("{% extends 'base.html.j2' %}", "template cannot be rendered: .*base"),
        ("{{ title | shout }}", "No filter named 'shout'"),
        ("{{ 1 / 0 }}", "template cannot be rendered: "),
        (None, "template cannot be rendered: .*index.html.j2"),
    ],
)
def test_a_fault_in_the_template_is_a_sentence_and_leaves_the_site(
    site: Site,
    session_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    template: str | None,
    fault: str,
) -> None:
    out = site.copy(tmp_path / "site")
    files = contents(out)
    templates = tmp_path / "package" / "templates"
    for folder in ("samples", "strings"):
        shutil.copytree(web_bundle.templates_dir() / folder, templates / folder)
    if template is not None:
        (templates / "index.html.j2").write_text(template, "utf-8")
    monkeypatch.setattr(web_bundle, "_PACKAGE", templates.parent)
    with pytest.raises(BadInputError, match=fault) as raised:
        build(replace(site.options, out=out), store=session_store, progress=Silent())
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2
    assert contents(out) == files
    assert beside(out) == []


def test_a_runtime_that_is_not_built_is_a_sentence(
    site: Site, session_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "templates").symlink_to(web_bundle.templates_dir())
    monkeypatch.setattr(web_bundle, "_CHECKOUT", tmp_path)
    options = replace(site.options, out=tmp_path / "site")
    with pytest.raises(MissingToolError, match="run `make web`"):
        build(options, store=session_store, progress=Silent())
    assert not options.out.exists()
    assert beside(options.out) == []


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Read what the build says until it says this."""
    assert process.stderr is not None
    heard = []
    for said in process.stderr:
        heard.append(said)
        if said.startswith(line):
            return
    raise AssertionError(f"it ended without {line!r}: {''.join(heard)}")


def end(process: subprocess.Popen[str], by: signal.Signals) -> None:
    process.send_signal(by)
    _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == (130 if by is signal.SIGINT else -by)
    assert "Traceback" not in err


@posix
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
@pytest.mark.parametrize("moment", ["Reading the graph", "Converting to TF.js"])
def test_a_build_ended_while_it_converts_leaves_the_site_and_nothing_in_the_way(
    site: Site, session_store: Store, tmp_path: Path, by: signal.Signals, moment: str
) -> None:
    out = site.copy(tmp_path / "site")
    before, files = out.stat().st_ino, contents(out)
    # A size of its own, so that there is no conversion to reuse.
    size = (1 << 20) + 2 * int(by) + len(moment)
    with command_line.started(*site.words, "--out", out, "--shard-size", str(size)) as process:
        wait_for(process, moment)
        # Into the import of TensorFlow, or as soon as the converter is called.
        until(lambda: command_line.has_loaded(process, "tensorflow/python"), "it loads TensorFlow")
        end(process, by)
    assert (out.stat().st_ino, contents(out)) == (before, files)
    assert beside(out) == []
    options = replace(
        site.options, out=out, weights=Stored(shard_bytes=size), page=PageOptions(title="Next")
    )
    report = build(options, store=session_store, progress=Silent())
    assert not any(stage.reused for stage in report.stages)
    assert assert_whole(out) == report
    assert b"<title>Next</title>" in (out / "index.html").read_bytes()


def has_begun(out: Path, staging: str) -> bool:
    """Tell whether the first compressed file is there; the large ones take seconds more."""
    return any(out.with_name(staging).rglob("*.br"))


@posix
def test_a_build_ended_while_it_compresses_leaves_the_site_and_nothing_in_the_way(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    out = site.copy(tmp_path / "site")
    before, files = out.stat().st_ino, contents(out)
    # Of what the session has in store, the conversion only.
    store = Store(tmp_path / "cache")
    shutil.copytree(session_store.root / "v1" / "tfjs", store.root / "v1" / "tfjs")
    words = (*site.words, "--out", out, "--title", "Next")
    for by in (signal.SIGKILL, signal.SIGINT):
        abandoned = set(beside(out))
        with command_line.started(*words, cache=store.root) as process:
            until(
                lambda process=process, abandoned=abandoned: (  # type: ignore[misc]
                    process.poll() is not None
                    or any(has_begun(out, name) for name in {*beside(out)} - abandoned)
                ),
                "it compresses",
            )
            assert process.poll() is None, "it ended before it compressed"
            end(process, by)
        assert (out.stat().st_ino, contents(out)) == (before, files)
        assert len(beside(out)) == (2 if by is signal.SIGKILL else 0)  # a folder and its lock
    done = command_line.run(*words, cache=store.root)
    assert done.returncode == 0, done.stderr
    assert_whole(out)
    assert b"<title>Next</title>" in (out / "index.html").read_bytes()
    assert beside(out) == []


@posix
def test_two_builds_at_once_both_succeed_and_leave_one_whole_site(
    site: Site, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    titles = ("First", "Second")
    for _ in range(2):  # once into nothing, once over a site
        with (
            command_line.started(*site.words, "--out", out, "--title", titles[0]) as one,
            command_line.started(*site.words, "--out", out, "--title", titles[1]) as other,
        ):
            errors = [process.communicate(timeout=HANG_S)[1] for process in (one, other)]
            assert (one.returncode, other.returncode) == (0, 0), errors
        assert_whole(out)
        page = (out / "index.html").read_text("utf-8")
        assert sum(f"<title>{title}</title>" in page for title in titles) == 1
        assert gzip.decompress((out / "index.html.gz").read_bytes()).decode() == page
        assert beside(out) == []


def test_inspect_reads_a_built_site(site: Site) -> None:
    done = command_line.run("inspect", site.options.out)
    assert done.returncode == 0
    assert "TF.js graph model, float16" in done.stdout
    assert re.search(r"^parameters +133$", done.stdout, re.MULTILINE)
