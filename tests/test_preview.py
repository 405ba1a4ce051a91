"""A site with a preview: how it is built, and what its report says.

`test_preview_page.py` looks at it as a visitor does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests import command_line, none_model, tiny_models
from toolchain import throttling
from toolchain.errors import BadInputError, UnreachableError
from toolchain.measurement.stage import MeasureOptions
from toolchain.pipeline import inspection
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.pipeline.measure import measure
from toolchain.progress import Silent
from toolchain.quantize import stage as compression
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.site import contract as contracts
from toolchain.site import web_bundle
from toolchain.sources.request import Request
from toolchain.sources.retries import NetworkPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("preview")

# The page's texts speak of previews in any site.
MARKS_OF_A_PREVIEW = re.compile(r"data-preview|=\"preview|preview/")

WIDTH = 64  # channels of the full model; the preview has 4
NOBODY = "127.0.0.1:9"


@dataclass
class Warned(Silent):
    """Keeps the warnings."""

    warnings: list[str] = field(default_factory=list)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@dataclass(frozen=True)
class Site:
    """A site with a preview."""

    options: BuildOptions
    report: build_report.Report
    warnings: tuple[str, ...]

    @property
    def preview(self) -> build_report.Preview:
        assert self.report.preview is not None
        return self.report.preview


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.saved_model(tmp_path_factory.mktemp("models") / "full", width=WIDTH)


@pytest.fixture(scope="module")
def site(
    full: Path, tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    options = BuildOptions(
        request=Request(str(full)),
        out=tmp_path_factory.mktemp("previewed") / "site",
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0), licence="MIT"),
        preview=Request(str(tiny)),
    )
    heard = Warned()
    report = build(options, store=session_store, progress=heard)
    return Site(options, report, tuple(heard.warnings))


def preloads(html: str) -> list[str]:
    return re.findall(r'<link rel="preload"[^>]* href="([^"]+)"', html)


def test_the_report_tells_of_both_models(site: Site, full: Path, tiny: Path) -> None:
    report, preview = site.report, site.preview
    assert build_report.read(site.options.out) == report
    assert (report.requested, preview.requested) == (str(full), str(tiny))
    assert report.card.provenance.name == "full"
    assert preview.card.provenance.name == "tiny"
    assert preview.card.labels == report.card.labels == tiny_models.names()
    assert preview.card.input.value_range == (0.0, 1.0)
    # What is said of the model's licence says nothing of the preview's.
    assert (report.card.provenance.licence, preview.card.provenance.licence) == (
        "MIT",
        "not stated",
    )
    assert preview.artifacts.parameters == preview.source_graph.parameters == 133
    assert preview.quantization == report.quantization == "float16"
    assert [stage.name for stage in report.stages] == [
        "source",
        "preview: source",
        "convert",
        "preview: convert",
        "render",
        "smoke test",
        "precompress",
    ]
    assert site.warnings == ()


def test_the_preview_lies_in_a_folder_and_a_kind_of_its_own(site: Site) -> None:
    artifacts = site.preview.artifacts
    files = [file for file in site.report.files if file.kind == "preview"]
    names = {file.path.removeprefix("preview/") for file in files}
    (contract,) = names - {artifacts.model_json, *artifacts.shards}
    read = contracts.read((site.options.out / "preview" / contract).read_bytes())
    assert read.model.url == f"preview/{artifacts.model_json}"
    assert read.model.sha256 == site.preview.card.provenance.sha256
    assert (site.options.out / read.model.url).is_file()
    assert site.report.totals["preview"].raw == sum(file.raw for file in files)
    assert not any(
        file.path.startswith("preview/") for file in site.report.files if file not in files
    )


def test_the_page_asks_for_the_preview_and_not_yet_for_the_model(site: Site) -> None:
    html = (site.options.out / "index.html").read_text("utf-8")
    runtime = web_bundle.runtime_for(site.report.artifacts.ops)
    asked = preloads(html)
    photo, *code, wasm, weights, contract = asked
    assert tuple(code) == runtime.worker
    assert re.fullmatch(r"preview/contract\.[0-9a-f]{16}\.bin", contract)
    assert wasm == runtime.wasm.simd
    assert weights == f"preview/{site.preview.artifacts.shards[0]}"
    assert photo.startswith("samples/")
    told = dict(re.findall(r'(data-preview[a-z-]*)="([^"]+)"', html))
    assert told["data-preview-contract"] == contract
    assert weights in told["data-preview-weights"]
    assert told["data-preview-early-weights"] == "1"
    assert told["data-preview-weight-bytes"] == str(site.preview.artifacts.weight_bytes)
    assert 'data-part="preview"' in html
    assert 'data-stage="preview"' in html


def test_later_visits_get_the_page_that_there_would_be_without_a_preview(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    options = replace(site.options, out=tmp_path / "site", preview=None)
    report = build(options, store=session_store, progress=Silent())
    assert report.preview is None
    plain = (options.out / "index.html").read_text("utf-8")
    assert not MARKS_OF_A_PREVIEW.search(plain)
    worker = (site.options.out / "sw.js").read_text("utf-8")
    (later,) = re.findall(r"^const LATER = (.*);$", worker, re.MULTILINE)
    assert json.loads(later) == plain
    # The one that is built without needs no page of another kind.
    assert "const LATER = null;" in (options.out / "sw.js").read_text("utf-8")
    # And the service worker keeps nothing of the preview.
    assert "preview/" not in worker


def test_a_runtime_is_taken_that_has_both_models_operations(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    from toolchain import tf as tensorflow

    tf = tensorflow.load()
    matrix = tiny_models.weights(3, tiny_models.CLASSES)

    def call(image: Any) -> Any:
        return {"scores": tf.math.erf(tf.reduce_mean(image, (1, 2)) @ matrix)}

    odd = tiny_models.save(tmp_path / "odd", call, {"image": tiny_models.IMAGE}, matrix)
    options = replace(site.options, out=tmp_path / "site", preview=Request(str(odd)))
    report = build(options, store=session_store, progress=Silent())
    assert report.preview is not None
    assert "Erf" in report.preview.artifacts.ops
    html = (options.out / "index.html").read_text("utf-8")
    entries = [
        web_bundle.runtime_for(ops).entry
        for ops in (report.artifacts.ops, report.preview.artifacts.ops)
    ]
    assert [entry in html for entry in entries] == [False, True]


def test_a_preview_has_an_input_size_of_its_own(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    model = tiny_models.saved_model(tmp_path / "any-size", shape=(None, None, None, 3))
    declared = Declared(height=48, width=40).over(site.options.declared)
    options = replace(
        site.options, request=Request(str(model)), declared=declared, out=tmp_path / "site"
    )
    report = build(options, store=session_store, progress=Silent())
    assert report.preview is not None
    assert (report.card.input.height, report.card.input.width) == (48, 40)
    small = report.preview.card.input
    assert (small.height, small.width) == (tiny_models.SIDE, tiny_models.SIDE)


def test_other_labels_are_refused_before_anything_is_compressed(
    site: Site, session_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("things", "others"):
        tiny_models.saved_model(tmp_path / name)
        labels = [f"{name} {number}" for number in range(tiny_models.CLASSES)]
        (tmp_path / f"{name}.toml").write_text(f"labels = {labels}", "utf-8")
    monkeypatch.setattr(compression, "run", lambda *_, **__: pytest.fail("compressed"))
    options = replace(
        site.options,
        request=Request(str(tmp_path / "things")),
        preview=Request(str(tmp_path / "others")),
        declared=Declared(value_range=(0.0, 1.0)),
        weights=QuantizeSettings("int8"),
        out=tmp_path / "site",
    )
    with pytest.raises(BadInputError, match=r"the preview others has other labels than things; "):
        build(options, store=session_store, progress=Silent())
    assert not options.out.exists()


def test_a_preview_that_would_tag_what_the_model_refuses_is_not_taken(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    model = none_model.write(tmp_path / "with")
    small = none_model.write(tmp_path / "without", with_rule=False)
    options = BuildOptions(
        Request(str(model)), tmp_path / "site", preview=Request(str(small)), page=site.options.page
    )
    said = r"the preview colours cannot, so it would give them a tag; make the preview from"
    with pytest.raises(BadInputError, match=said):
        build(options, store=session_store, progress=Silent())
    assert not options.out.exists()
    build(replace(options, preview=options.request), store=session_store, progress=Silent())


@pytest.fixture
def out_of_reach(site: Site, tmp_path: Path) -> BuildOptions:
    request = Request(
        "https://tfhub.dev/nobody/model/1",
        lockfile=tmp_path / "toolchain.lock.json",
        mirror=f"http://{NOBODY}",
        policy=NetworkPolicy(attempts=1),
    )
    return replace(site.options, preview=request, out=tmp_path / "site")


def test_a_preview_out_of_reach_is_left_out_with_a_warning(
    out_of_reach: BuildOptions, store: Store
) -> None:
    heard = Warned()
    report = build(out_of_reach, store=store, progress=heard)
    assert report.preview is None
    plain = (out_of_reach.out / "index.html").read_text("utf-8")
    assert not MARKS_OF_A_PREVIEW.search(plain)
    cause, consequence = heard.warnings
    assert NOBODY in cause
    assert consequence.startswith("building without the preview https://tfhub.dev/nobody/model/1; ")


def test_a_preview_out_of_reach_is_an_error_where_nothing_may_stand_in(
    out_of_reach: BuildOptions, store: Store
) -> None:
    with pytest.raises(UnreachableError, match=re.escape(NOBODY)):
        build(replace(out_of_reach, fallback=False), store=store, progress=Silent())
    assert not out_of_reach.out.exists()


def test_a_preview_that_is_hardly_smaller_is_warned_of(
    site: Site, full: Path, session_store: Store, tmp_path: Path
) -> None:
    heard = Warned()
    options = replace(site.options, preview=Request(str(full)), out=tmp_path / "site")
    build(options, store=session_store, progress=heard)
    (warning,) = heard.warnings
    assert re.match(r"the preview full has [\d,]+ bytes of weights and the model [\d,]+; ", warning)


def test_both_are_compressed_by_one_recipe_and_only_the_model_has_to_keep_to_bytes(
    site: Site, session_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    run = compression.run

    def listening(source: Any, options: QuantizeSettings, **rest: Any) -> compression.Compressed:
        asked.append((source.converted.card.provenance.name, options))
        return run(source, options, **rest)

    monkeypatch.setattr(compression, "run", listening)
    weights = QuantizeSettings("int8", max_bytes=1_000_000)
    options = replace(site.options, weights=weights, out=tmp_path / "site")
    report = build(options, store=session_store, progress=Silent())
    assert asked == [("full", weights), ("tiny", replace(weights, max_bytes=None))]
    assert report.preview is not None
    assert report.plan is not None
    assert report.preview.plan is not None
    assert (report.plan.recipe, report.preview.plan.recipe) == ("int8", "int8")
    assert report.plan.tensors != report.preview.plan.tensors
    again = build(options, store=session_store, progress=Silent())
    assert [stage.name for stage in again.stages if stage.reused] == [
        "convert",
        "preview: convert",
        "quantize",
        "preview: quantize",
        "smoke test",
    ]


def test_the_command_takes_a_preview_and_says_what_it_made(
    full: Path, tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    words = ("build", "-m", full, "--preview", tiny, "--labels", labels, "--value-range", "0,1")
    done = command_line.run_here(capfd, *words, "--quantize", "float16", "--out", tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert "preview tiny from tiny, not stated" in done.stdout
    rows = [line.split()[:2] for line in done.stdout.splitlines() if line.strip()]
    assert ["preview", "3"] in rows
    looked = command_line.run_here(capfd, "inspect", tmp_path / "site")
    assert re.search(r"^preview +tiny, 133 parameters, ", looked.stdout, re.MULTILINE)


def test_inspection_keeps_the_two_apart(site: Site, session_store: Store) -> None:
    request = Request(str(site.options.out))
    found = inspection.inspect(request, Declared(), store=session_store, progress=Silent())
    assert found.file_bytes == site.report.totals["model"].raw
    assert found.preview is not None
    assert found.preview.file_bytes == site.report.totals["preview"].raw
    assert found.preview.preview is None


def test_measuring_tells_the_first_tag_from_the_full_models(site: Site) -> None:
    # Its files come a round trip after the preview's, which is long for any machine.
    slow = throttling.parse("1600kbit,1500ms")
    found = measure(MeasureOptions(str(site.options.out), slow, runs=1), progress=Silent())
    assert found.first.full_tag_ms is not None
    assert found.first.full_tag_ms.median > found.first.first_tag_ms.median
    assert found.first.full_tag_ms.median > found.first.milestones_ms["preview"].median + 1500
    assert found.first.traffic["preview"].requests == 2
    assert found.repeat.full_tag_ms is None
    assert found.repeat.traffic["preview"].requests == 0
    assert found.inference_ms is not None
