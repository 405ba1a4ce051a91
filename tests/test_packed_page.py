"""Packed weights in a real Chromium: unpacked to the last bit, and tagged with by the page."""

from __future__ import annotations

import base64
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
from toolchain.graph import preprocess
from toolchain.progress import Silent
from toolchain.report import schema
from toolchain.sources.resolve import Request
from toolchain.tfjs import execute
from toolchain.tfjs.convert import convert

if TYPE_CHECKING:
    from collections.abc import Iterator

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
  build: { outDir, lib: { entry, formats: ['es'], fileName: () => 'packed-weights.js' } },
});
"""

UNPACK = """
async ({ model, shards }) => {
  const { readScales, unpackWeights } = await import('./packed-weights.js');
  const read = async (path, kind) => (await fetch(path))[kind]();
  const { packing, weightsManifest } = await read(model, 'json');
  const specs = weightsManifest.flatMap((group) => group.weights);
  const buffers = await Promise.all(shards.map((path) => read(path, 'arrayBuffer')));
  const unpacked = unpackWeights(specs, buffers, readScales(packing, specs[0].name));
  const url = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(new Blob(unpacked.data));
  });
  return { specs: unpacked.specs, data: url.slice(url.indexOf(',') + 1) };
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
    stored, weights = b"", {}
    for entry in group["weights"]:
        name, shape = entry["name"], tuple(entry["shape"])
        weights[name] = originals[name]
        if entry["dtype"] != "float32" or len(shape) < 2:
            stored += originals[name].tobytes()
            continue
        channels = shape[-1]
        entry["packed"] = {"channels": channels}
        indices = random.integers(0, len(scales), channels, np.uint8)
        values = random.integers(0, 256, (channels, int(np.prod(shape[:-1]))), np.uint8)
        values.flat[:2] = 0, 255
        stored += indices.tobytes() + values.tobytes()
        steps = scales.astype(np.float32).astype(np.float64)[indices]
        exact = (np.float64(values.T) - 128) * steps
        weights[name] = np.float32(exact).reshape(shape)
    model["packing"] = {"schema": 1, "scales": scales.tolist()}
    count = len(group["paths"])
    # Cut where the shards meet in the midst of a weight, at an odd byte.
    cuts = [0, *(len(stored) * part // count | 1 for part in range(1, count)), len(stored)]
    shards = tuple(stored[begin:end] for begin, end in itertools.pairwise(cuts))
    return Rewritten(model, shards, weights)


def write_packed(folder: Path, model_json: str, made: Rewritten) -> None:
    (folder / model_json).write_text(json.dumps(made.model), "utf-8")
    for name, content in zip(made.model["weightsManifest"][0]["paths"], made.shards, strict=True):
        (folder / name).write_bytes(content)


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
    entry = WEB / "src/worker/packed-weights.ts"
    subprocess.run(
        ["node", "--input-type=module", "--eval", BUNDLE, "--", str(entry), str(host / "bundle")],
        cwd=WEB,
        check=True,
    )
    (host / "bundle" / "packed-weights.js").rename(host / "packed-weights.js")
    (host / "index.html").write_text("<!doctype html><title>Blank</title>", "utf-8")

    with plain_host(host) as origin:
        page.goto(origin)
        paths = made.model["weightsManifest"][0]["paths"]
        unpacked = page.evaluate(UNPACK, {"model": "model.json", "shards": paths})

    ordinary = [{key: entry[key] for key in entry if key != "packed"} for entry in entries]
    assert unpacked["specs"] == ordinary
    data, offset = base64.b64decode(unpacked["data"]), 0
    for entry in entries:
        expected = made.weights[entry["name"]]
        assert data[offset : offset + expected.nbytes] == expected.tobytes(), entry["name"]
        offset += expected.nbytes
    assert offset == len(data)


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
