"""Packed weights in a real Chromium: unpacked to the last bit, and tagged with by the page."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import tiny_models
from tests.browser import chromium, plain_host
from toolchain.build import BuildOptions, build
from toolchain.card import Declared
from toolchain.compress.stage import CompressOptions
from toolchain.errors import BadInputError
from toolchain.graph import preprocess
from toolchain.progress import Silent
from toolchain.report import schema
from toolchain.site import contract as contracts
from toolchain.sources.resolve import Request
from toolchain.tfjs import execute, packing
from toolchain.tfjs.convert import convert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from toolchain.store import Store

    Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.xdist_group("page")

CHECKOUT = Path(__file__).parents[1]
WEB = CHECKOUT / "web"
SAMPLES = CHECKOUT / "templates" / "samples"
TAGGED = 90_000  # milliseconds
SAME_PIXELS = 1e-3  # as in test_page.py

# Vite's own interface, for its command line wants a configuration file for a library.
BUNDLE = """
import { build } from 'vite';
const [entry, outDir] = process.argv.slice(-2);
await build({
  configFile: false,
  logLevel: 'error',
  build: { outDir, emptyOutDir: false, lib: { entry, formats: ['es'], fileName: 'weights' } },
});
"""
MODULES = ("gunzip", "weight-assembly", "weights-manifest")

UNPACK = """
async ({ model }) => {
  const { readModelJson, WeightAssembly, gunzip } = await import('./weights.js');
  const { groups: [group], scales } = readModelJson(await (await fetch(model)).json());
  const assembly = new WeightAssembly(group, scales);
  const streams = await Promise.all(group.paths.map(async (path) => (await fetch(path)).body));
  await gunzip(streams, 'weights', (bytes) => assembly.take(bytes));
  const { specs, data } = assembly.finish();
  const url = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(new Blob(data));
  });
  return { specs, data: url.slice(url.indexOf(',') + 1) };
}
"""


@dataclass(frozen=True)
class Rewritten:
    """What became of a folder of artifacts."""

    model: dict[str, Any]
    """The `model.json` with packed entries."""
    shards: tuple[bytes, ...]
    weights: dict[str, Array]
    """What the entries stand for, computed by numpy."""


def rewritten(folder: Path, model_json: str, *, seed: int = 1) -> Rewritten:
    """Give every kernel of float32 artifacts random packed values; leave the rest as it is."""
    random = np.random.default_rng(seed)
    model = json.loads((folder / model_json).read_text("utf-8"))
    originals = execute.decode_weights(folder, model)
    scales = np.geomspace(1e-4, 5e-3, 256)
    (group,) = model["weightsManifest"]
    parts: list[bytes] = []
    weights = {}
    for entry in group["weights"]:
        name, shape = entry["name"], tuple(entry["shape"])
        weights[name] = originals[name]
        if entry["dtype"] != "float32" or len(shape) < 2:
            parts.append(originals[name].tobytes())
            continue
        channels = shape[-1]
        entry["packed"] = {"channels": channels}
        numbers = random.integers(0, len(scales), channels, np.uint8)
        values = random.integers(-128, 128, (channels, int(np.prod(shape[:-1]))))
        values.flat[:2] = -128, 127
        parts += packing.pack(numbers.tobytes(), values)
        steps = scales.astype(np.float32).astype(np.float64)[numbers]
        weights[name] = np.float32(np.float64(values.T) * steps).reshape(shape)
    model["packing"] = {
        "schema": packing.SCHEMA,
        "encoding": packing.ENCODING,
        "scales": scales.tolist(),
    }
    stored = packing.compress(parts)
    count = len(group["paths"])
    # Cut where the shards meet in the midst of a weight, at an odd byte.
    cuts = [0, *(len(stored) * part // count | 1 for part in range(1, count)), len(stored)]
    shards = tuple(stored[begin:end] for begin, end in itertools.pairwise(cuts))
    return Rewritten(model, shards, weights)


def write_packed(folder: Path, model_json: str, made: Rewritten) -> None:
    (folder / model_json).write_text(json.dumps(made.model), "utf-8")
    for name, content in zip(made.model["weightsManifest"][0]["paths"], made.shards, strict=True):
        (folder / name).write_bytes(content)
    for path in folder.parent.glob("contract.*.bin"):
        contract = contracts.read(path.read_bytes())
        path.write_bytes(contract.model_copy(update={"graph": made.model}).to_bytes())


def write_ordinary(folder: Path, model_json: str, made: Rewritten) -> None:
    """Write the same weights as float32, as TensorFlow's side of the comparison reads them."""
    model = json.loads(json.dumps(made.model))
    del model["packing"]
    (group,) = model["weightsManifest"]
    group["paths"] = ["weights.bin"]
    for entry in group["weights"]:
        entry.pop("packed", None)
    folder.mkdir()
    (folder / model_json).write_text(json.dumps(model), "utf-8")
    weights = (made.weights[entry["name"]].tobytes() for entry in group["weights"])
    (folder / "weights.bin").write_bytes(b"".join(weights))


@pytest.fixture
def site(tiny: Path, session_store: Store, tmp_path: Path) -> Path:
    """The tiny model's site with float32 weights, for the test to rewrite."""
    out = tmp_path / "site"
    options = BuildOptions(
        request=Request(str(tiny)),
        out=out,
        quantization="none",
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
    )
    build(options, store=session_store, progress=Silent())
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_the_browser_unpacks_the_very_bits_that_numpy_computes(page: Page, tmp_path: Path) -> None:
    saved_model = tiny_models.saved_model(tmp_path / "saved_model", width=40)
    host = tmp_path / "host"
    convert(
        saved_model,
        host,
        signature="serving_default",
        quantization="none",
        shard_bytes=4000,
    )
    made = rewritten(host, "model.json")
    entries = made.model["weightsManifest"][0]["weights"]
    assert len(made.shards) > 1
    assert sum("packed" in entry for entry in entries) == 2
    write_packed(host, "model.json", made)
    entry = tmp_path / "entry.ts"
    entry.write_text(
        "".join(f"export * from '{WEB}/src/worker/{module}';\n" for module in MODULES), "utf-8"
    )
    subprocess.run(
        ["node", "--input-type=module", "--eval", BUNDLE, "--", str(entry), str(host)],
        cwd=WEB,
        check=True,
    )
    (host / "index.html").write_text("<!doctype html><title>Blank</title>", "utf-8")

    with plain_host(host) as origin:
        page.goto(origin)
        unpacked = page.evaluate(UNPACK, {"model": "model.json"})

    ordinary = [{key: entry[key] for key in entry if key != "packed"} for entry in entries]
    assert unpacked["specs"] == ordinary
    data, offset = base64.b64decode(unpacked["data"]), 0
    for entry in entries:
        expected = made.weights[entry["name"]]
        assert data[offset : offset + expected.nbytes] == expected.tobytes(), entry["name"]
        offset += expected.nbytes
    assert offset == len(data)

    decoded = execute.decode_weights(host, made.model)
    for name, expected in made.weights.items():
        assert decoded[name].tobytes() == expected.tobytes(), name


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda stream: stream[:-9], "is cut off"),
        (lambda stream: stream[: len(stream) // 2], "is cut off"),
        (lambda stream: stream[:0], "is cut off"),
        (lambda stream: stream + b"more", "is longer than its manifest says"),
        (lambda stream: stream[:-5] + b"\0" + stream[-4:], "is damaged"),
        (lambda stream: b"no" + stream, "is damaged"),
    ],
    ids=["trailer-cut", "cut", "empty", "longer", "another-checksum", "no-stream"],
)
def test_a_damaged_stream_is_one_clear_sentence(
    tiny: Path, tmp_path: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    folder = tmp_path / "model"
    convert(tiny, folder, signature="serving_default", quantization="none", shard_bytes=4 << 20)
    made = rewritten(folder, "model.json")
    write_packed(folder, "model.json", made)
    (path,) = made.model["weightsManifest"][0]["paths"]
    (folder / path).write_bytes(damage(made.shards[0]))
    with pytest.raises(BadInputError, match=said) as no:
        execute.decode_weights(folder, made.model)
    assert path in str(no.value)
    assert "\n" not in str(no.value)


def test_weights_of_another_length_or_schema_are_refused(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    convert(tiny, folder, signature="serving_default", quantization="none", shard_bytes=4 << 20)
    made = rewritten(folder, "model.json")
    write_packed(folder, "model.json", made)
    (path,) = made.model["weightsManifest"][0]["paths"]
    data = gzip.decompress(made.shards[0])
    for content, said in ((data[:-1], "is cut off"), (data + b"1", "is longer")):
        (folder / path).write_bytes(packing.compress([content]))
        with pytest.raises(BadInputError, match=said):
            execute.decode_weights(folder, made.model)
    made.model["packing"]["schema"] = 1
    with pytest.raises(BadInputError, match="packed by another version; build the site again"):
        execute.decode_weights(folder, made.model)


def test_the_page_tags_with_packed_weights(page: Page, site: Path, tmp_path: Path) -> None:
    report = schema.read(site)
    model_json = report.artifacts.model_json
    made = rewritten(site / "model", model_json)
    write_packed(site / "model", model_json, made)
    write_ordinary(tmp_path / "ordinary", model_json, made)
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

    run = execute.load(tmp_path / "ordinary", model_json)
    logits = np.float64(run(preprocess.load(photo, report.card.input)[None])[0])
    scores = np.exp(logits - logits.max())
    scores /= scores.sum()
    assert np.ptp(scores) > 10 * SAME_PIXELS
    found = [shown[str(index)] for index in range(tiny_models.CLASSES)]
    np.testing.assert_allclose(found, scores, atol=SAME_PIXELS)


def test_the_page_names_a_weight_that_it_cannot_unpack(page: Page, site: Path) -> None:
    model_json = schema.read(site).artifacts.model_json
    made = rewritten(site / "model", model_json)
    made.model["packing"]["scales"] = [0.001]
    write_packed(site / "model", model_json, made)
    entries = made.model["weightsManifest"][0]["weights"]
    packed = next(entry["name"] for entry in entries if "packed" in entry)

    with plain_host(site) as origin:
        page.goto(origin)
        page.wait_for_selector("html[data-state=failed]", timeout=TAGGED)
        sentence = page.inner_text("[role=alert]")

    assert f"“{packed}” cannot be unpacked: it asks for scale" in sentence


@pytest.mark.parametrize("cut", [0, 20, -9])
def test_the_page_names_a_file_that_is_cut_off(page: Page, site: Path, cut: int) -> None:
    model_json = schema.read(site).artifacts.model_json
    made = rewritten(site / "model", model_json)
    write_packed(site / "model", model_json, made)
    (path,) = made.model["weightsManifest"][0]["paths"]
    (site / "model" / path).write_bytes(made.shards[0][:cut])

    with plain_host(site) as origin:
        page.goto(origin)
        page.wait_for_selector("html[data-state=failed]", timeout=TAGGED)
        sentence = page.inner_text("[role=alert]")

    assert f"{path} is damaged: it cannot be decompressed" in sentence
    assert page.locator("#tags li").count() == 0


def test_packed_weights_are_compressed_once(tiny: Path, store: Store, tmp_path: Path) -> None:
    report = build(
        BuildOptions(
            request=Request(str(tiny)),
            out=tmp_path / "site",
            compress=CompressOptions("mixed", calibration=SAMPLES),
            declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
        ),
        store=store,
        progress=Silent(),
    )
    (weights,) = (file for file in report.files if file.path.endswith(report.artifacts.shards))
    assert weights.raw == weights.gzip == weights.brotli == report.artifacts.weight_bytes
    assert not list((tmp_path / "site").rglob("*.bin.*"))
    data = gzip.decompress((tmp_path / "site" / weights.path).read_bytes())
    assert len(data) > report.artifacts.parameters
