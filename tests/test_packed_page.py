"""The built page with weights in every form: its tags are Python's, damage is one sentence.

That the weights are the same to the bit is in `test_weight_forms.py`.
"""

from __future__ import annotations

import functools
import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import tiny_models
from tests.browser import QuietHandler, plain_host
from tests.sealing import reseal
from tests.watchdog import HANG_MS
from toolchain.errors import BadInputError
from toolchain.graph import preprocess
from toolchain.metrics.scores import softmax
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.quantize.settings import QuantizeSettings
from toolchain.quantize.writing import FORMATS
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.site import contract as contracts
from toolchain.sources.request import Request
from toolchain.tfjs import execute
from toolchain.tfjs.convert import QUANTIZATIONS, Stored
from toolchain.tfjs_graph import packing
from toolchain.tfjs_graph import weights as tfjs_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from toolchain.cache.store import Store
    from toolchain.quantize.writing import Format
    from toolchain.tfjs.convert import Quantization

    Form = Quantization | Format

pytestmark = pytest.mark.xdist_group("page")

SAMPLES = Path(__file__).parents[1] / "templates" / "samples"
TAGGED = HANG_MS
SAME_PIXELS = 1e-3  # as in test_page.py
SHARD = 8729  # bytes: odd, so that weights are cut in their midst


@pytest.fixture(scope="module")
def site_with(
    session_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Form], Path]:
    """Builds a small MobileNetV2's site with its weights in one form, in many files."""
    folder = tmp_path_factory.mktemp("sites")
    model = tiny_models.with_statistics(tiny_models.mobile_net(tiny_models.libraries()["keras"]))
    request = Request(str(tiny_models.save_keras(model, folder / "small.keras")))

    @functools.cache
    def built(form: Form) -> Path:
        options = BuildOptions(
            request=request,
            out=folder / form,
            weights=Stored(shard_bytes=SHARD),
            declared=Declared(labels=tiny_models.names(), value_range=(0.0, 255.0)),
        )
        if form in QUANTIZATIONS:
            options = replace(options, weights=Stored(form, SHARD))
        elif form in FORMATS:
            weights = QuantizeSettings("mixed", form, calibration=SAMPLES, shard_bytes=SHARD)
            options = replace(options, weights=weights)
        report = build(options, store=session_store, progress=Silent())
        assert len(report.artifacts.shards) > 1
        return options.out

    return built


@pytest.fixture(scope="module")
def packed(site_with: Callable[[Form], Path]) -> Path:
    """The site whose weights are packed, which stays as it is."""
    return site_with("packed")


@pytest.fixture
def damaged(packed: Path, tmp_path: Path) -> Path:
    """A copy of the packed site, for the test to damage."""
    return shutil.copytree(packed, tmp_path / "damaged")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a profile of its own."""
    with browser.new_page() as opened:
        yield opened


def graph_of(site: Path) -> dict[str, Any]:
    """Parse the site's `model.json`."""
    path = site / "model" / build_report.read(site).artifacts.model_json
    graph: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return graph


def rewrite_stream(site: Path, damage: Callable[[bytes], bytes]) -> str:
    """Damage the stream of packed weights; return what messages call its files.

    The first file gets all of it.
    """
    shards = build_report.read(site).artifacts.shards
    first, *others = (site / "model" / shard for shard in shards)
    stream = b"".join(path.read_bytes() for path in (first, *others))
    first.write_bytes(damage(stream))
    for path in others:
        path.write_bytes(b"")
    return " + ".join(shards)


def unzipped(stream: bytes) -> bytes:
    return gzip.decompress(packing.with_header(stream))


def flipped(stream: bytes, place: int) -> bytes:
    """Return the bytes with one bit of one of them turned over."""
    changed = bytearray(stream)
    changed[place] ^= 1
    return bytes(changed)


def failure_of(page: Page, site: Path) -> str:
    """Open a site that cannot tag; return what it says."""
    with plain_host(site) as origin:
        page.goto(origin)
        page.wait_for_selector("html[data-state=failed]", timeout=TAGGED)
    assert page.locator("#tags li").count() == 0
    return page.inner_text("[role=alert]")


@pytest.mark.parametrize("form", [*QUANTIZATIONS, *FORMATS])
def test_the_page_tags_with_the_weights_that_python_decodes(
    page: Page, site_with: Callable[[Form], Path], tmp_path: Path, form: Form
) -> None:
    site = site_with(form)
    photo = tmp_path / "photo.png"
    with Image.open(SAMPLES / "cat.jpg") as image:
        image.convert("RGB").save(photo)
    with plain_host(site) as origin:
        page.goto(origin)
        page.wait_for_selector("html[data-state=tagged]", timeout=TAGGED)
        page.evaluate("document.querySelector('#tags').textContent = ''")
        page.set_input_files("#file", photo)
        page.wait_for_selector("html[data-state=tagged] #tags li", timeout=TAGGED)
        shown = page.eval_on_selector_all(
            "#tags li",
            "rows => Object.fromEntries(rows.map(row => "
            "[row.dataset.classIndex, Number(row.dataset.score)]))",
        )
    report = build_report.read(site)
    run = execute.load(site / "model", report.artifacts.model_json)
    scores = softmax(run(preprocess.load(photo, report.card.input)[None]))[0]
    assert np.ptp(scores) > 10 * SAME_PIXELS
    found = [shown[str(index)] for index in range(tiny_models.CLASSES)]
    np.testing.assert_allclose(found, scores, atol=SAME_PIXELS)


class SniffingHost(QuietHandler):
    """Sends what begins like gzip with a Content-Encoding, as Apache's mod_mime_magic does."""

    def end_headers(self) -> None:
        """Add the header."""
        path = Path(self.translate_path(self.path))
        if path.is_file() and path.read_bytes()[:2] == b"\x1f\x8b":
            self.send_header("Content-Encoding", "gzip")
        super().end_headers()


def test_a_host_that_takes_gzip_for_an_encoding_finds_none(page: Page, packed: Path) -> None:
    with plain_host(packed, SniffingHost) as origin:
        page.goto(origin)
        page.wait_for_selector("html[data-state=tagged]", timeout=TAGGED)
    # What is read without a header is read with it too, as version 0.1 wrote it.
    (path,) = packed.glob("contract.*.bin")
    content = path.read_bytes()
    assert contracts.read(packing.with_header(content)) == contracts.read(content)
    graph = graph_of(packed)
    graph["packing"] |= {"schema": 2, "encoding": "gzip"}
    (paths,) = (group["paths"] for group in graph["weightsManifest"])

    def read(file: Path) -> bytes:
        stored = file.read_bytes()
        return packing.with_header(stored) if file.name == paths[0] else stored

    older = tfjs_weights.decode_weights(packed / "model", graph, read=read)
    newer = tfjs_weights.decode_weights(packed / "model", graph_of(packed))
    for name, values in newer.items():
        np.testing.assert_array_equal(older[name], values)


def test_the_page_names_a_weight_that_it_cannot_unpack(page: Page, damaged: Path) -> None:
    (path,) = damaged.glob("contract.*.bin")
    contract = contracts.read(path.read_bytes())
    graph = graph_of(damaged)
    assert contract.graph == graph
    graph["packing"]["scales"] = [0.001]
    path.write_bytes(contract.model_copy(update={"graph": graph}).to_bytes())
    reseal(damaged)
    sentence = failure_of(page, damaged)
    entries = graph["weightsManifest"][0]["weights"]
    names = [entry["name"] for entry in entries if "packed" in entry]
    assert any(f"“{name}” cannot be unpacked: it refers to scale" in sentence for name in names)


@pytest.mark.parametrize("length", [0, 20, -9])
def test_the_page_names_files_that_are_cut_off(page: Page, damaged: Path, length: int) -> None:
    names = rewrite_stream(damaged, lambda stream: stream[:length])
    reseal(damaged)
    sentence = failure_of(page, damaged)
    assert f"{names} is damaged: it cannot be decompressed" in sentence


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(lambda stream: stream[:-9], "is cut off", id="trailer-cut"),
        pytest.param(lambda stream: stream[: len(stream) // 2], "is cut off", id="cut"),
        pytest.param(lambda _: b"", "is cut off", id="empty"),
        pytest.param(lambda stream: stream + b"more", "is longer than", id="longer"),
        pytest.param(lambda stream: flipped(stream, -5), "is damaged", id="checksum"),
        pytest.param(lambda stream: b"no" + stream, "is damaged", id="no-stream"),
        pytest.param(
            lambda stream: packing.compress([unzipped(stream)[:-1]]),
            "is cut off",
            id="of-too-little",
        ),
        pytest.param(
            lambda stream: packing.compress([unzipped(stream), b"1"]),
            "is longer than",
            id="of-too-much",
        ),
    ],
)
def test_python_names_files_that_are_damaged(
    damaged: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    names = rewrite_stream(damaged, damage)
    with pytest.raises(BadInputError) as no:
        tfjs_weights.decode_weights(damaged / "model", graph_of(damaged))
    assert f"{names} {said}" in str(no.value)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize(
    "other", [{"schema": packing.SCHEMA - 2}, {"encoding": "br"}], ids=["schema", "encoding"]
)
def test_python_refuses_another_packing(packed: Path, other: dict[str, Any]) -> None:
    graph = graph_of(packed)
    graph["packing"] |= other
    with pytest.raises(BadInputError, match="packed by another version; build the site again"):
        tfjs_weights.decode_weights(packed / "model", graph)


def test_packed_weights_are_compressed_once(packed: Path) -> None:
    report = build_report.read(packed)
    shards = [f"model/{shard}" for shard in report.artifacts.shards]
    sizes = {file.path: file for file in report.files}
    for shard in shards:
        assert sizes[shard].raw == sizes[shard].gzip == sizes[shard].brotli
    assert sum(sizes[shard].raw for shard in shards) == report.artifacts.weight_bytes
    assert not list(packed.rglob("*.bin.*"))
    data = unzipped(b"".join((packed / shard).read_bytes() for shard in shards))
    assert len(data) > report.artifacts.parameters
