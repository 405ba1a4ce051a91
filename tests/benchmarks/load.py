"""Time the first tag of our page and of pages one could write instead: `make bench-load`.

All pages use WebPageTest's 4G and one photo. They take turns, so that a machine that slows
down affects all of them. The other pages are in `tests/benchmarks/pages`: the TF.js tutorial's
page on TF.js' WebAssembly with the stock converter's weights, and the same model in int8 on
onnxruntime-web. All pages are served like ours: every file compressed with Brotli 11, weights
included. Most hosts do less for them, so the tutorial's page is also served without encodings.

The model is MobileNetV2 from `../shared` (or `$TOOLCHAIN_SHARED`), rounded by half of the
photos there, as in `make bench-size`. Without that folder it is the embedded model, without photos.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.size import folder_of, halves
from toolchain import digest
from toolchain.cache.store import Store
from toolchain.measurement import browser as browsers
from toolchain.measurement.local_host import Served, serving
from toolchain.measurement.stage import Backend, Run, run_once, with_backend
from toolchain.measurement.summary import figures, spread
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared
from toolchain.site.precompress import precompress
from toolchain.sources import resolve
from toolchain.sources.request import Request
from toolchain.tfjs import stage as tfjs
from toolchain.tfjs.shards import SHARD_BYTES
from toolchain.throttling import LINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolchain.records.visit_figures import Host, Spread
    from toolchain.sources.saved_model import Fetched

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("TOOLCHAIN_SHARED", ROOT.parent / "shared"))
SAMPLES = ROOT / "templates" / "samples"
MODULES = ROOT / "web" / "node_modules"
NETWORK = LINKS["4g"]
RUNS = 7

TFJS_FILES = (
    "@tensorflow/tfjs/dist/tf.min.js",
    *(
        f"@tensorflow/tfjs-backend-wasm/dist/{name}"
        for name in (
            "tf-backend-wasm.min.js",
            "tfjs-backend-wasm.wasm",
            "tfjs-backend-wasm-simd.wasm",
            "tfjs-backend-wasm-threaded-simd.wasm",
        )
    ),
)
ONNX_FILES = tuple(
    f"onnxruntime-web/dist/{name}"
    for name in ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
)


@dataclass
class Subject:
    """One page on one host, with its visits so far."""

    name: str
    folder: Path
    host: Host = "toolchain"
    backend: Backend = "auto"
    served: Served = field(default_factory=Served)
    runs: list[Run] = field(default_factory=list)

    @property
    def first_tags(self) -> list[float]:
        """The milliseconds to the first tag of every first visit."""
        return [run.first.first_tag_ms for run in self.runs]


def other_page(folder: Path, html: str, modules: Sequence[str], photo: Path) -> Path:
    """Write a page that is not ours, still without its model."""
    (folder / "model").mkdir(parents=True)
    (folder / "samples").mkdir()
    shutil.copyfile(Path(__file__).parent / "pages" / html, folder / "index.html")
    shutil.copyfile(photo, folder / "samples" / "photo.jpg")
    for module in modules:
        shutil.copyfile(MODULES / module, folder / Path(module).name)
    return folder


def tutorial(folder: Path, photo: Path, fetched: Fetched, store: Store) -> Path:
    """Write the tutorial's page with a model in the stock converter's uint8."""
    other_page(folder, "tutorial.html", TFJS_FILES, photo)
    model = tfjs.run(
        fetched, quantization="uint8", shard_bytes=SHARD_BYTES, store=store, progress=Silent()
    )
    artifacts = model.converted.artifacts
    shutil.copyfile(model.folder / artifacts.model_json, folder / "model" / "model.json")
    for shard in artifacts.shards:
        shutil.copyfile(model.folder / shard, folder / "model" / shard)
    precompress(folder, store=store, progress=Silent())
    return folder


def onnx(folder: Path, photo: Path, fetched: Fetched, store: Store) -> Path:
    """Write the page on onnxruntime-web with the model in int8.

    Raises:
        subprocess.CalledProcessError: The converter failed, or its packages cannot be installed.
    """
    other_page(folder, "onnx.html", ONNX_FILES, photo)
    script = Path(__file__).with_name("onnx_int8.py")
    key = digest.of_json({"sha256": fetched.sha256, "script": script.read_text("utf-8")})
    if (kept := store.get("onnx-int8", key)) is None:
        uv = Path(sys.executable).with_name("uv")
        with store.put("onnx-int8", key) as made:
            subprocess.run(
                [
                    *(uv, "run", "--quiet", "--no-project", "--script", script),
                    *(fetched.path, SAMPLES, made / "model.onnx"),
                ],
                check=True,
                capture_output=True,
            )
        kept = store.require("onnx-int8", key)
    shutil.copyfile(kept / "model.onnx", folder / "model" / "model.onnx")
    precompress(folder, store=store, progress=Silent())
    return folder


def subjects(scratch: Path, store: Store) -> list[Subject]:
    """Make all pages; ours comes first."""
    archive = SHARED / "models" / "mobilenet_v2_100_224.tar.gz"
    word, declared, calibration, small = "embedded", Declared(), None, None
    if archive.is_file():
        word, declared = str(archive), Declared(value_range=(0.0, 1.0))
        small = Request(str(SHARED / "models" / "mobilenet_v1_025_224.tar.gz"))
        photos, _ = halves(SHARED / "data" / "imagenet-500")
        calibration = folder_of(photos, scratch / "photos")
    else:
        sys.stdout.write(f"{archive} is not there (TOOLCHAIN_SHARED): using the embedded model\n")
    request = Request(word)
    options = BuildOptions(
        request,
        scratch / "ours",
        weights=QuantizeSettings(recipe="mixed", calibration=calibration),
        declared=declared,
    )
    build(options, store=store, progress=Silent())
    made = [Subject("ours, mixed", options.out, backend="wasm")]
    if small is not None:
        with_small = replace(options, out=scratch / "preview", preview=small)
        build(with_small, store=store, progress=Silent())
        made.append(Subject("ours, mixed, preview V1 0.25", with_small.out, backend="wasm"))
    fetched = resolve.fetch(request, store=store, progress=Silent())
    fetched = replace(fetched, declared=declared.over(fetched.declared))
    # Our page tags the first of its samples by itself; the others get the same photo.
    photo = SAMPLES / "cat.jpg"
    uint8 = tutorial(scratch / "uint8", photo, fetched, store)
    made += [
        Subject("TF.js, uint8", uint8),
        Subject("TF.js, uint8, plain host", uint8, "plain"),
    ]
    try:
        int8 = onnx(scratch / "onnx", photo, fetched, store)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode().strip().splitlines()[-1:]
        sys.stdout.write(f"onnxruntime-web is left out, since making its model failed: {reason}\n")
    else:
        made.append(Subject("onnxruntime-web, int8", int8))
    return made


def measure(pages: Sequence[Subject]) -> None:
    """Visit all pages in turns; each turn begins with another page."""
    with ExitStack() as stack:
        for page in pages:
            served = stack.enter_context(serving(page.folder, page.host))
            if page.backend != "auto":
                served = replace(served, url=with_backend(served.url, page.backend))
            page.served = served
        browser = stack.enter_context(browsers.started(None))
        sys.stdout.write(
            f"Chromium {browser.version}, {NETWORK.name} ({(NETWORK.down_bits or 0) / 1e6:g} "
            f"Mbit/s, {NETWORK.round_trip_ms:g} ms), {RUNS} runs: medians (least … greatest)\n\n"
        )
        for turn in range(RUNS):
            for place in range(len(pages)):
                page = pages[(turn + place) % len(pages)]
                page.runs.append(run_once(browser, page.served, NETWORK))


def shown(value: Spread, scale: float = 1.0, digits: int = 2) -> str:
    """Format a median with its spread."""
    median, low, high = (scale * one for one in (value.median, value.low, value.high))
    return f"{median:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})"


def print_rows(pages: Sequence[Subject]) -> None:
    """Print a row for each page; ratios to our page are taken within a turn."""
    ours = pages[0]

    def against(page: Subject, figure: Callable[[Run], float]) -> str:
        pairs = zip(page.runs, ours.runs, strict=True)
        return shown(spread(figure(run) / figure(own) for run, own in pairs))

    def steady(run: Run) -> float:
        return statistics.median(run.first.inference_ms)

    sys.stdout.write(
        f"{'':<34}{'wire':>9}{'first tag, s':>22}{'/ ours':>20}{'/ limit':>20}"
        f"{'second visit / first':>22}{'inference, ms':>22}{'/ ours':>20}\n"
    )
    for page in pages:
        first = figures([run.first for run in page.runs], page.served.url, NETWORK)
        if first.ratio is None:
            raise ValueError("the network has no rate")
        repeat = spread(run.repeat.first_tag_ms / run.first.first_tag_ms for run in page.runs)
        sys.stdout.write(
            f"{page.name:<34}{first.wire_bytes / 1e6:6.2f} MB{shown(first.first_tag_ms, 1e-3):>22}"
            f"{against(page, lambda run: run.first.first_tag_ms):>20}{shown(first.ratio):>20}"
            f"{shown(repeat):>22}{shown(spread(map(steady, page.runs)), digits=1):>22}"
            f"{against(page, steady):>20}\n"
        )
    first, again = (
        figures([getattr(run, sort) for run in ours.runs], ours.served.url, NETWORK)
        for sort in ("first", "repeat")
    )
    sys.stdout.write("\nours: bytes of a first visit")
    sys.stdout.writelines(f", {kind} {part.bytes}" for kind, part in first.traffic.items())
    sys.stdout.write(
        f"; of a second visit {again.wire_bytes}\n"
        f"ours: main-thread tasks over 50 ms {first.long_tasks}, longest "
        f"{first.longest_task_ms:.0f} ms\n"
    )


def main() -> None:
    """Make the pages, visit them, print."""
    with tempfile.TemporaryDirectory() as scratch:
        pages = subjects(Path(scratch), Store.default())
        measure(pages)
        print_rows(pages)


if __name__ == "__main__":
    main()
