"""Weights in every form: the page decodes the very bits that Python decodes.

What the page then tags with them is in `test_packed_page.py`.
"""

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

from tests import tiny_models
from tests.benchmarks import stock
from tests.browser import chromium, plain_host
from toolchain import tf as tensorflow
from toolchain.progress import Silent
from toolchain.quantize import canonical, writing
from toolchain.quantize import layer_graph as networks
from toolchain.quantize.rounding import LARGEST, Rounded
from toolchain.records.card import Declared
from toolchain.site import contract as contracts
from toolchain.sources import resolve
from toolchain.sources.request import Request
from toolchain.tfjs import converter, execute
from toolchain.tfjs import stage as tfjs
from toolchain.tfjs.convert import QUANTIZATIONS
from toolchain.tfjs.shards import SHARD_BYTES
from toolchain.tfjs_graph import packing
from toolchain.tfjs_graph import weights as tfjs_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolchain.cache.store import Store
    from toolchain.quantize.writing import Format
    from toolchain.tfjs.convert import Quantization
    from toolchain.tfjs.stage import TfjsModel

    Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.xdist_group("runtimes")

WEB = Path(__file__).parents[1] / "web"
CONTRACT = "contract.bin"
ODD = 29  # bytes of a file, so that weights are cut in their midst

# Vite's own interface, for its command line wants a configuration file for a library.
BUNDLE = """
import { build } from 'vite';
const [outDir, ...entry] = process.argv.slice(1);
const fileName = (_, name) => `${name}.js`;
await build({
  configFile: false,
  logLevel: 'error',
  build: { outDir, lib: { entry, formats: ['es'], fileName } },
});
"""
MODULES = ("incoming-files", "model-loader")

# What the page does with the files of a model, and what TF.js does with the weights then.
DECODE = """
async ({ contract, shards }) => {
  const { Incoming } = await import('./incoming-files.js');
  const { receiveModel, receiveWeights } = await import('./model-loader.js');
  await tf.setBackend('cpu');
  const incoming = new Incoming();
  for (const file of [contract, ...shards]) {
    const bytes = new Uint8Array(await (await fetch(file)).arrayBuffer());
    incoming.take({ kind: 'piece', file, bytes });
    incoming.take({ kind: 'complete', file, digest: null });
  }
  const [{ description }] = await receiveModel(incoming, contract);
  const tensors = {};
  await receiveWeights(incoming, shards, description, ({ spec, data }) => {
    Object.assign(tensors, tf.io.decodeWeights(data, [spec]));
  });
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
        groups: list[list[dict[str, Any]]] = [[], []]
        for number, (name, data) in enumerate(tricky_weights(quantization).items()):
            groups[number % 2].append({"name": name, "data": data})
        manifest = converter.load().write_weights.write_weights(
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


def tricky_kernels(network: networks.LayerGraph) -> dict[str, Rounded]:
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
        values.flat[:3] = -packing.ZERO, LARGEST, 0
        table = singles if layer is network.layers[-1] else halves
        steps = np.take(table, range(begin, begin + channels), mode="wrap")
        begin += channels
        kernels[layer.kernel] = Rounded(values.astype(np.int16), steps)
    return kernels


def with_tricky_biases(network: networks.LayerGraph) -> networks.LayerGraph:
    """Return the network with biases that float16 has room for, and one that has none."""
    halves = as_half([-0.0, 2.0**-24, -65504.0, 0.1])
    biases = {
        layer.bias: np.resize(halves, network.weights[layer.bias].shape) for layer in network.layers
    }
    biases[network.layers[0].bias] = np.full_like(biases[network.layers[0].bias], 1e5)
    return network.with_weights(biases)


def read_model(folder: Path) -> dict[str, Any]:
    """Parse the `model.json` of a folder."""
    model: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
    return model


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, session_store: Store) -> TfjsModel:
    """A small MobileNetV2 with float32 weights."""
    model = tiny_models.with_statistics(tiny_models.mobile_net(tiny_models.libraries()["keras"]))
    path = tiny_models.save_keras(model, tmp_path_factory.mktemp("keras") / "small.keras")
    fetched = resolve.fetch(Request(str(path)), store=session_store, progress=Silent())
    declared = Declared(labels=tiny_models.names()).over(fetched.declared)
    return tfjs.run(
        replace(fetched, declared=declared),
        quantization="none",
        shard_bytes=SHARD_BYTES,
        store=session_store,
        progress=Silent(),
    )


@pytest.fixture
def network(small: TfjsModel) -> networks.LayerGraph:
    return canonical.read(small.folder, small.converted.artifacts.model_json)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an unmodified TF.js and the page's own reader of models."""
    folder = tmp_path_factory.mktemp("host")
    entries = [str(WEB / "src" / "worker" / f"{module}.ts") for module in MODULES]
    subprocess.run(
        ["node", "--input-type=module", "--eval", BUNDLE, "--", str(folder), *entries],
        cwd=WEB,
        check=True,
    )
    shutil.copy(WEB / "node_modules/@tensorflow/tfjs/dist/tf.min.js", folder)
    (folder / "index.html").write_text("<!doctype html><script src=tf.min.js></script>", "utf-8")
    return folder


@pytest.fixture(scope="module")
def decode_in_chromium(host: Path, small: TfjsModel) -> Iterator[Callable[[Path], dict[str, Any]]]:
    """Decodes the weights of a folder below the host, as a page of that model would."""
    contract = contracts.make(small, "model.json")
    with chromium() as browser, plain_host(host) as origin, browser.new_page() as page:
        page.goto(origin)

        def decode(folder: Path) -> dict[str, Any]:
            graph = read_model(folder)
            content = contract.model_copy(update={"graph": graph}).to_bytes()
            (folder / CONTRACT).write_bytes(content)
            paths = [path for group in graph["weightsManifest"] for path in group["paths"]]
            files = {
                "contract": f"{folder.name}/{CONTRACT}",
                "shards": [f"{folder.name}/{path}" for path in paths],
            }
            return {tensor["name"]: tensor for tensor in page.evaluate(DECODE, files)}

        yield decode


def assert_same_bits(found: dict[str, Any], expected: dict[str, Array]) -> None:
    """Compare what Chromium decoded with what it should have."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name]["shape"] == list(value.shape), name
        assert found[name]["dtype"] == str(value.dtype), name
        assert base64.b64decode(found[name]["data"]) == value.tobytes(), name


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_what_the_converter_stores_is_decoded_alike(
    decode_in_chromium: Callable[[Path], dict[str, Any]],
    host: Path,
    quantization: Quantization,
) -> None:
    folder = host / quantization
    folder.mkdir()
    write_converted(folder, quantization)
    model = read_model(folder)
    assert sum(len(group["paths"]) for group in model["weightsManifest"]) > 3
    decoded = tfjs_weights.decode_weights(folder, model)
    if quantization == "none":
        for name, value in tricky_weights(quantization).items():
            assert decoded[name].tobytes() == value.tobytes(), name
    assert_same_bits(decode_in_chromium(folder), decoded)


@pytest.mark.parametrize("form", writing.FORMATS)
def test_what_a_recipe_stores_is_decoded_alike(
    decode_in_chromium: Callable[[Path], dict[str, Any]],
    host: Path,
    network: networks.LayerGraph,
    form: Format,
) -> None:
    folder = host / form
    folder.mkdir()
    kernels = tricky_kernels(network)
    writing.write(with_tricky_biases(network), kernels, folder, form=form, shard_bytes=301 * ODD)
    model = read_model(folder)
    assert len(model["weightsManifest"][0]["paths"]) > 1
    decoded = tfjs_weights.decode_weights(folder, model)
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
    assert_same_bits(decode_in_chromium(folder), decoded | exact)


def products(folder: Path) -> tuple[set[str], set[str]]:
    """Return the kernels that the graph scales, and the layers whose outputs it scales."""
    nodes = read_model(folder)["modelTopology"]["node"]
    scaled = {node["name"]: node["input"][0] for node in nodes if node["op"] == "Mul"}
    kernels = {name for name, source in scaled.items() if source == f"{name}/whole"}
    layers = {name for name, source in scaled.items() if source == f"{name}/unscaled"}
    return kernels, layers


def write_stock(network: networks.LayerGraph, folder: Path) -> tuple[set[str], set[str]]:
    """Write the stock form, and return where its products stand."""
    folder.mkdir()
    writing.write(network, stock.rounded(network), folder, form="stock", shard_bytes=4 << 20)
    return products(folder)


def test_a_stock_product_stands_where_it_costs_less(
    network: networks.LayerGraph, tmp_path: Path
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
    network: networks.LayerGraph, tmp_path: Path
) -> None:
    write_stock(network, tmp_path / "stock")
    decoded = tfjs_weights.decode_weights(tmp_path / "stock", read_model(tmp_path / "stock"))
    for layer in network.layers:
        assert 0.7 < np.median(decoded[f"{layer.kernel}/steps"]) < 1.5
        kernel, value = decoded[f"{layer.kernel}/whole"], network.weights[layer.kernel]
        assert 0.2 < np.abs(kernel).max() / np.abs(value).max() < 5


def test_where_the_outputs_size_is_open_the_kernel_is_scaled(
    network: networks.LayerGraph, tmp_path: Path
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
    network: networks.LayerGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, layers = write_stock(network, tmp_path / "mixed")
    assert layers
    monkeypatch.setattr(writing, "_CHEAPER_AFTER", 0)
    _, layers = write_stock(network, tmp_path / "kernels")
    assert not layers
    images = np.random.default_rng(6).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    exact = execute.load(tmp_path / "kernels", "model.json")(images)
    found = execute.load(tmp_path / "mixed", "model.json")(images)
    # A sum that is scaled once is off by some of float32's last bits, 2^-24 each, as the sum
    # of scaled terms is; 12 layers hand them on. Measured: 3e-7.
    assert np.abs(found - exact).max() < 3e-6 * np.abs(exact).max()
