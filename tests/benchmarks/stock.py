"""Measure what the products of the stock form cost at an inference: `make bench-stock`.

MobileNetV2 1.0 runs in an unmodified TF.js on the WebAssembly backend, with SIMD and one
thread, in Chromium: without products, with every product on its kernel, and as the stock form
is written. The three take turns, so that a machine that slows down affects all; ratios
are of times in one turn. Weights are simply rounded to the nearest, because only time is measured.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from tests.benchmarks.size import SHARED
from tests.browser import chromium, plain_host
from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.progress import Silent
from toolchain.quantize import canonical, rounding, writing
from toolchain.quantize import layer_graph as networks
from toolchain.records.card import Declared
from toolchain.sources import resolve
from toolchain.sources.request import Request
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

MODEL = SHARED / "models" / "mobilenet_v2_100_224.tar.gz"
SIDE = 224
TURNS = 31
RUNS = 5  # inferences in one turn
MINUTES = 60_000  # milliseconds, Playwright's unit

PACKAGES = Path(__file__).parents[2] / "web/node_modules/@tensorflow"
SCRIPTS = (
    PACKAGES / "tfjs/dist/tf.min.js",
    PACKAGES / "tfjs-backend-wasm/dist/tf-backend-wasm.min.js",
)

TIME = """
async ([folders, side, turns, runs]) => {
  tf.wasm.setWasmPaths('./');
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  await tf.setBackend('wasm');
  if (!(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'))) {
    throw new Error('this Chromium has no SIMD');
  }
  const image = tf.randomUniform([1, side, side, 3], 0, 1, 'float32', 1);
  const models = await Promise.all(
    folders.map((folder) => tf.loadGraphModel(`${folder}/model.json`)),
  );
  const time = (model) => {
    const begun = performance.now();
    for (let run = 0; run < runs; run++) {
      const scores = model.predict(image);
      scores.dataSync();
      scores.dispose();
    }
    return (performance.now() - begun) / runs;
  };
  models.forEach(time);
  const times = models.map(() => []);
  for (let turn = 0; turn < turns; turn++) {
    models.forEach((_, place) => {
      const next = (place + turn) % models.length;
      times[next].push(time(models[next]));
    });
  }
  return times;
}
"""


def network_of(model: Path, store: Store) -> networks.LayerGraph:
    """Read a model as quantisation does."""
    silent = Silent()
    fetched = resolve.fetch(Request(str(model)), store=store, progress=silent)
    declared = Declared(value_range=(0.0, 1.0)).over(fetched.declared)
    fetched = type(fetched)(fetched.path, fetched.sha256, fetched.source, declared)
    converted = tfjs.run(
        fetched, quantization="none", shard_bytes=4 << 20, store=store, progress=silent
    )
    return canonical.read(converted.folder, converted.converted.artifacts.model_json)


def rounded(network: networks.LayerGraph) -> dict[str, rounding.Rounded]:
    """Round every kernel to the nearest multiples of the finest step of each channel."""
    kernels = {}
    for layer in network.layers:
        value = network.weights[layer.kernel]
        weights = value.reshape(-1, networks.channels_of(value.shape, layer.kind))
        # One level is left unused, because float16 may round a step down.
        finest = np.abs(weights).max(axis=0) / (rounding.LARGEST - 1)
        steps = np.maximum(finest, 1e-6).astype(np.float16).astype(np.float32)
        kernels[layer.kernel] = rounding.Rounded(np.rint(weights / steps).astype(np.int16), steps)
    return kernels


def write(network: networks.LayerGraph, folder: Path) -> list[str]:
    """Write the network in three ways; return their names."""
    kernels = rounded(network)
    ways = {"no products": {}, "products on kernels": kernels, "stock": kernels}
    for number, (name, products) in enumerate(ways.items()):
        (folder / str(number)).mkdir()
        least = writing._CHEAPER_AFTER if name == "stock" else 0
        with mock.patch.object(writing, "_CHEAPER_AFTER", least):
            writing.write(
                network, products, folder / str(number), form="stock", shard_bytes=4 << 20
            )
    return list(ways)


def main() -> None:
    """Measure, and print medians with the quartiles of the paired ratios."""
    if not MODEL.is_file():
        sys.exit(f"bench-stock needs a model at {MODEL}; set TOOLCHAIN_SHARED")
    with tempfile.TemporaryDirectory() as folder, tensorflow.quiet():
        network = network_of(MODEL, Store(Path(folder) / "cache"))
        host = Path(folder) / "host"
        host.mkdir()
        names = write(network, host)
        for file in (*SCRIPTS, *PACKAGES.glob("tfjs-backend-wasm/dist/*.wasm")):
            shutil.copy(file, host)
        tags = "".join(f"<script src={script.name}></script>" for script in SCRIPTS)
        (host / "index.html").write_text(f"<!doctype html>{tags}", "utf-8")
        with chromium() as browser, plain_host(host) as origin:
            page = browser.new_page()
            page.set_default_timeout(10 * MINUTES)
            page.goto(origin)
            folders = [str(number) for number in range(len(names))]
            times: Array = np.array(page.evaluate(TIME, [folders, SIDE, TURNS, RUNS]))
    sys.stdout.write(f"{'':<22}{'median':>9}{'ratio':>8} (quartiles), {TURNS} turns\n")
    for name, each in zip(names, times, strict=True):
        low, middle, high = np.percentile(each / times[0], [25, 50, 75])
        sys.stdout.write(
            f"{name:<22}{np.median(each):6.1f} ms{middle:8.3f} ({low:.3f} … {high:.3f})\n"
        )


if __name__ == "__main__":
    main()
