"""Weights in every form: the very bits in Chromium that Python decodes, and the same tags."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import bench_stock, tiny_models
from tests.browser import chromium, plain_host
from toolchain import tf as tensorflow
from toolchain.build import SHARD_BYTES, BuildOptions, build
from toolchain.card import Declared
from toolchain.compress import network as networks
from toolchain.compress.rounding import LARGEST, Rounded
from toolchain.compress.stage import CompressOptions
from toolchain.evaluation.metrics import softmax
from toolchain.graph import preprocess
from toolchain.progress import Silent
from toolchain.report import schema
from toolchain.sources import resolve
from toolchain.sources.resolve import Request
from toolchain.tfjs import execute, packing, quantised
from toolchain.tfjs import stage as tfjs
from toolchain.tfjs.convert import QUANTIZATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from toolchain.store import Store
    from toolchain.tfjs.convert import Quantization
    from toolchain.tfjs.quantised import Format

    Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.xdist_group("page")

CHECKOUT = Path(__file__).parents[1]
WEB = CHECKOUT / "web"
SAMPLES = CHECKOUT / "templates" / "samples"
TAGGED = 90_000  # milliseconds
SAME_PIXELS = 1e-3  # as in test_page.py
DECLARED = Declared(labels=tiny_models.names())
ODD = 29  # bytes of a file, so that weights are cut in their midst

# Vite's own interface, for its command line wants a configuration file for a library.
BUNDLE = """
import { build } from 'vite';
const [entry, outDir] = process.argv.slice(-2);
await build({
  configFile: false,
  logLevel: 'error',
  build: { outDir, lib: { entry, formats: ['es'], fileName: () => 'loader.js' } },
});
"""

# What the page does with the files of a model before TF.js builds the graph, and what
# TF.js does then.
DECODE = """
async (folder) => {
  const { readModelJson, unpackModel } = await import('./loader.js');
  await tf.setBackend('cpu');
  const read = async (path, kind) => (await fetch(`${folder}/${path}`))[kind]();
  const { groups, scales } = readModelJson(await read('model.json', 'json'));
  const paths = groups.flatMap((group) => group.paths);
  const artifacts = {
    weightSpecs: groups.flatMap((group) => group.specs),
    weightData: await Promise.all(paths.map((path) => read(path, 'arrayBuffer'))),
  };
  unpackModel({ artifacts, scales });
  const tensors = tf.io.decodeWeights(artifacts.weightData, artifacts.weightSpecs);
  for (const name of Object.keys(tensors).filter((name) => name.endsWith('/whole'))) {
    const kernel = name.slice(0, -'/whole'.length);
    tensors[kernel] = tf.mul(tensors[name], tensors[`${kernel}/steps`]);
  }
  const asText = ({ buffer, byteOffset, byteLength }) => {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  };
  return Object.entries(tensors).map(([name, tensor]) => ({
    name, dtype: tensor.dtype, shape: tensor.shape, data: asText(tensor.dataSync()),
  }));
}
"""


def tricky_weights(quantization: Quantization) -> dict[str, Array]:
    """Return weights that are easily decoded wrongly, by name."""
    random = np.random.default_rng(2)
    halves = np.array([0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x8000], np.uint16)
    weights = {
        "odd": random.normal(0, 0.3, (3, 5, 7)),
        "a number": np.array(-0.1),
        "one": np.array([[[1e-3]]]),
        "alike": np.full(4, 0.3),
        "half": halves.view(np.float16).astype(np.float32),  # denormal, largest, negative zero
        "zeros": np.array([-0.0, 0.0, -1e-9]),
        "positive": random.uniform(2, 3, 11),
    }
    if quantization != "float16":
        weights["wide"] = np.array([1e-40, -1e-30, 3e38, -3e38, 1.0])
    if not quantization.startswith("uint"):  # the converter has no range for nothing
        weights["empty"] = np.zeros((0, 3))
    typed = {name: value.astype(np.float32) for name, value in weights.items()}
    return {
        **typed,
        "whole": np.array([-(2**31), 2**31 - 1, 0], np.int32),
        "flags": np.array([[True], [False]]),
        "last": random.normal(0, 1, 13).astype(np.float32),
    }


def write_converted(folder: Path, quantization: Quantization) -> None:
    """Let the converter store tricky weights in two groups and in many files."""
    with tensorflow.quiet():
        from tensorflowjs import write_weights

        groups: list[list[dict[str, Any]]] = [[], []]
        for number, (name, data) in enumerate(tricky_weights(quantization).items()):
            groups[number % 2].append({"name": name, "data": data})
        manifest = write_weights.write_weights(
            groups,
            str(folder),
            shard_size_bytes=ODD,
            quantization_dtype_map=None if quantization == "none" else {quantization: "*"},
        )
    model = {"modelTopology": {}, "weightsManifest": manifest}
    (folder / "model.json").write_text(json.dumps(model), "utf-8")


def as_half(values: Array | list[float]) -> Array:
    """Return the nearest float16 numbers, as float32."""
    halves: Array = np.array(values).astype(np.float16).astype(np.float32)
    return halves


def tricky_kernels(network: networks.Network) -> dict[str, Rounded]:
    """Return kernels with 256 steps, from the smallest to the largest, in all.

    The steps of the last layer are no float16 numbers.
    """
    random = np.random.default_rng(4)
    few = [2.0**-24, 3e-6, 2.0**-14, 1 / 3, 1.0, 65504.0]
    halves = as_half([*few, *np.geomspace(1e-4, 9, 246)])
    singles = np.array([1e-30, 1e-20, 1 / 3, 3e4], np.float32)
    kernels = {}
    begin = 0
    for layer in network.layers:
        shape = network.weights[layer.kernel].shape
        channels = networks.channels_of(shape, layer.kind)
        values = random.integers(-LARGEST, LARGEST + 1, (int(np.prod(shape)) // channels, channels))
        values.flat[:3] = -LARGEST, LARGEST, 0
        table = singles if layer is network.layers[-1] else halves
        steps = np.take(table, range(begin, begin + channels), mode="wrap")
        begin += channels
        kernels[layer.kernel] = Rounded(values.astype(np.int16), steps)
    return kernels


def with_tricky_biases(network: networks.Network) -> networks.Network:
    """Return the network with biases that float16 has room for, and one that has none."""
    halves = as_half([-0.0, 2.0**-24, -65504.0, 0.1])
    biases = {
        layer.bias: np.resize(halves, network.weights[layer.bias].shape) for layer in network.layers
    }
    biases[network.layers[0].bias] = np.full_like(biases[network.layers[0].bias], 1e5)
    return network.with_weights(biases)


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tiny_models.with_statistics(tiny_models.mobile_net(tiny_models.libraries()["keras"]))
    return tiny_models.save_keras(model, tmp_path_factory.mktemp("keras") / "small.keras")


@pytest.fixture(scope="module")
def network(keras_file: Path, session_store: Store) -> networks.Network:
    # As the sites below are built, so that they find it converted.
    fetched = resolve.fetch(Request(str(keras_file)), store=session_store, progress=Silent())
    model = tfjs.run(
        replace(fetched, declared=DECLARED.over(fetched.declared)),
        quantization="none",
        shard_bytes=SHARD_BYTES,
        store=session_store,
        progress=Silent(),
    )
    return networks.read(model.folder, model.converted.artifacts.model_json)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an unmodified TF.js and the page's own reader of weights."""
    folder = tmp_path_factory.mktemp("host")
    worker = WEB / "src" / "worker"
    entry = folder / "loader.ts"
    entry.write_text(
        f"export {{ readModelJson }} from '{worker}/weights-manifest';\n"
        f"export {{ unpackModel }} from '{worker}/model-files';\n",
        "utf-8",
    )
    subprocess.run(
        ["node", "--input-type=module", "--eval", BUNDLE, "--", str(entry), str(folder / "out")],
        cwd=WEB,
        check=True,
    )
    shutil.copy(folder / "out" / "loader.js", folder)
    shutil.copy(WEB / "node_modules/@tensorflow/tfjs/dist/tf.min.js", folder)
    (folder / "index.html").write_text("<!doctype html><script src=tf.min.js></script>", "utf-8")
    return folder


def assert_same_bits(page: Page, host: Path, folder: str, expected: dict[str, Array]) -> None:
    """Decode the weights in the page, and compare them with what they should be."""
    with plain_host(host) as origin:
        page.goto(origin)
        found = {tensor["name"]: tensor for tensor in page.evaluate(DECODE, folder)}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name]["shape"] == list(value.shape), name
        assert found[name]["dtype"] == str(value.dtype), name
        assert base64.b64decode(found[name]["data"]) == value.tobytes(), name


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_what_the_converter_stores_is_decoded_alike(
    page: Page, host: Path, monkeypatch: pytest.MonkeyPatch, quantization: Quantization
) -> None:
    # As toolchain.tfjs.convert does: what the converter imports wants IPython otherwise.
    monkeypatch.setenv("TFDF_DISABLE_WELCOME_MESSAGE", "1")
    folder = host / quantization
    folder.mkdir()
    write_converted(folder, quantization)
    model = json.loads((folder / "model.json").read_text("utf-8"))
    assert sum(len(group["paths"]) for group in model["weightsManifest"]) > 3
    decoded = execute.decode_weights(folder, model)
    if quantization == "none":
        for name, value in tricky_weights(quantization).items():
            assert decoded[name].tobytes() == value.tobytes(), name
    assert_same_bits(page, host, quantization, decoded)


@pytest.mark.parametrize("form", quantised.FORMATS)
def test_what_a_recipe_stores_is_decoded_alike(
    page: Page, host: Path, network: networks.Network, form: Format
) -> None:
    kernels = tricky_kernels(network)
    folder = host / form
    folder.mkdir()
    quantised.write(with_tricky_biases(network), kernels, folder, form=form, shard_bytes=301 * ODD)
    model = json.loads((folder / "model.json").read_text("utf-8"))
    assert len(model["weightsManifest"][0]["paths"]) > 1
    decoded = execute.decode_weights(folder, model)
    exact = {
        name: rounded.decode().reshape(network.weights[name].shape)
        for name, rounded in kernels.items()
    }
    if form == "packed":
        assert len(model["packing"]["scales"]) == packing.MAX_SCALES
        for name, value in exact.items():
            assert decoded[name].tobytes() == value.tobytes(), name
    else:
        entries = model["weightsManifest"][0]["weights"]
        steps = [entry for entry in entries if entry["name"].endswith("/steps")]
        assert 0 < sum("quantization" in entry for entry in steps) < len(steps)
    assert_same_bits(page, host, form, decoded | exact)


def products(folder: Path) -> tuple[set[str], set[str]]:
    """Return the kernels that the graph scales, and the layers whose outputs it scales."""
    nodes = json.loads((folder / "model.json").read_text("utf-8"))["modelTopology"]["node"]
    scaled = {node["name"]: node["input"][0] for node in nodes if node["op"] == "Mul"}
    kernels = {name for name, source in scaled.items() if source == f"{name}/whole"}
    layers = {name for name, source in scaled.items() if source == f"{name}/unscaled"}
    return kernels, layers


def write_stock(network: networks.Network, folder: Path) -> tuple[set[str], set[str]]:
    """Write the stock form, and return where its products stand."""
    folder.mkdir()
    quantised.write(
        network, bench_stock.rounded(network), folder, form="stock", shard_bytes=4 << 20
    )
    return products(folder)


def test_a_stock_product_stands_where_it_costs_less(
    network: networks.Network, tmp_path: Path
) -> None:
    kernels, layers = write_stock(network, tmp_path / "stock")
    for layer in network.layers:
        assert (layer.kernel in kernels) != (layer.name in layers)
    first, *_, head, dense = network.layers
    assert dense.kind == "dense"
    # An output of 16 × 16 for 432 weights, one of 1 × 1 for 6,400, and one of five values.
    assert first.kernel in kernels
    assert {head.name, dense.name} <= layers
    assert all(layer.kernel in kernels for layer in network.layers if layer.kind == "depthwise")


def test_an_output_that_is_yet_to_be_scaled_is_about_as_large_as_it_will_be(
    network: networks.Network, tmp_path: Path
) -> None:
    write_stock(network, tmp_path / "stock")
    model = json.loads((tmp_path / "stock" / "model.json").read_text("utf-8"))
    decoded = execute.decode_weights(tmp_path / "stock", model)
    for layer in network.layers:
        assert 0.7 < np.median(decoded[f"{layer.kernel}/steps"]) < 1.5
        kernel, value = decoded[f"{layer.kernel}/whole"], network.weights[layer.kernel]
        assert 0.2 < np.abs(kernel).max() / np.abs(value).max() < 5


def test_where_the_outputs_size_is_open_the_kernel_is_scaled(
    network: networks.Network, tmp_path: Path
) -> None:
    network = network.with_weights({})
    network.nodes = {
        name: type(node).FromString(node.SerializeToString())
        for name, node in network.nodes.items()
    }
    for side in network.nodes[network.input].attr["shape"].shape.dim[1:3]:
        side.size = -1
    kernels, layers = write_stock(network, tmp_path / "stock")
    assert layers == {network.layers[-1].name}
    assert len(kernels) == len(network.layers) - 1


def test_scaling_a_layer_for_its_kernel_changes_last_bits_only(
    network: networks.Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, layers = write_stock(network, tmp_path / "mixed")
    assert layers
    monkeypatch.setattr(quantised, "_CHEAPER_AFTER", 0)
    _, layers = write_stock(network, tmp_path / "kernels")
    assert not layers
    images = np.random.default_rng(6).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    exact = execute.load(tmp_path / "kernels", "model.json")(images)
    found = execute.load(tmp_path / "mixed", "model.json")(images)
    # A sum that is scaled once is off by some of float32's last bits, 2^-24 each, as the sum
    # of scaled terms is; 12 layers hand them on. Measured: 3e-7.
    assert np.abs(found - exact).max() < 3e-6 * np.abs(exact).max()


@pytest.fixture(scope="module", params=quantised.FORMATS)
def site(
    request: pytest.FixtureRequest,
    keras_file: Path,
    session_store: Store,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A built site of the small network with rounded weights, in many files."""
    out = tmp_path_factory.mktemp("sites") / "site"
    options = BuildOptions(
        request=Request(str(keras_file)),
        out=out,
        compress=CompressOptions(
            recipe="mixed", form=request.param, calibration=SAMPLES, shard_bytes=301 * ODD
        ),
        declared=DECLARED,
    )
    report = build(options, store=session_store, progress=Silent())
    assert len(report.artifacts.shards) > 1
    return out


def test_the_page_tags_with_the_weights_that_python_decodes(
    page: Page, site: Path, tmp_path: Path
) -> None:
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
    report = schema.read(site)
    run = execute.load(site / "model", report.artifacts.model_json)
    scores = softmax(run(preprocess.load(photo, report.card.input)[None]))[0]
    assert np.ptp(scores) > 10 * SAME_PIXELS
    found = [shown[str(index)] for index in range(tiny_models.CLASSES)]
    np.testing.assert_allclose(found, scores, atol=SAME_PIXELS)


@pytest.mark.parametrize("site", ["packed"], indirect=True)
def test_the_page_names_a_weight_that_it_cannot_unpack(
    page: Page, site: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(site, damaged)
    path = damaged / "model" / schema.read(site).artifacts.model_json
    model = json.loads(path.read_text("utf-8"))
    model["packing"]["scales"] = [0.001]
    path.write_text(json.dumps(model), "utf-8")
    with plain_host(damaged) as origin:
        page.goto(origin)
        page.wait_for_selector("html[data-state=failed]", timeout=TAGGED)
        sentence = page.inner_text("[role=alert]")
    packed = [
        entry["name"] for entry in model["weightsManifest"][0]["weights"] if "packed" in entry
    ]
    assert any(f"“{name}” cannot be unpacked: it asks for scale" in sentence for name in packed)
