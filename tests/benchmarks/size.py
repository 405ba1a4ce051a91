"""Measure bytes against accuracy, beside the stock converter, in one run: `make bench-size`.

The photos are an ImageFolder in `../shared/data/imagenet-500` (or `$TOOLCHAIN_SHARED/data/…`).
They are split into halves by the digest of their names. Plans are made with one half; all
printed figures are judged on the other. Bytes are those of `model.json` and the weights after
Brotli 11, which is what a page loads.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest
from toolchain.cache.store import Store
from toolchain.metrics.single_label import judge
from toolchain.photos.photo_folder import Photos, find
from toolchain.progress import Silent
from toolchain.quantize import calibration
from toolchain.quantize import stage as compression
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared
from toolchain.sources import resolve
from toolchain.sources.request import Request
from toolchain.tfjs import execute
from toolchain.tfjs import stage as tfjs
from toolchain.tfjs.transfer import brotli_bytes

if TYPE_CHECKING:
    from toolchain.records.verdict import Verdict
    from toolchain.tfjs.convert import Quantization

    Array = np.ndarray[Any, Any]

SHARED = Path(os.environ.get("TOOLCHAIN_SHARED", Path(__file__).parents[3] / "shared"))
RECIPES = (
    "float16",
    "uint8",
    "mixed packed",
    "mixed stock",
    "mixed packed, no photos",
    "auto packed, no photos",
)


@dataclass(frozen=True)
class Row:
    """One way to store one model."""

    name: str
    bytes: int
    seconds: float
    verdict: Verdict


def halves(folder: Path) -> tuple[Photos, Photos]:
    """Split photos into two halves, the same on every machine and in every order."""
    photos = find(folder)
    order = sorted(photos.paths, key=lambda path: digest.of_bytes(path.name.encode()))
    classes = dict(zip(photos.paths, photos.classes or (), strict=True))

    def part(paths: list[Path]) -> Photos:
        return Photos(photos.folder, tuple(paths), tuple(classes[path] for path in paths))

    middle = len(order) // 2
    return part(order[:middle]), part(order[middle:])


def folder_of(photos: Photos, target: Path) -> Path:
    """Make a folder of links to photos."""
    for number, path in enumerate(photos.paths):
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{number}{path.suffix}").symlink_to(path)
    return target


def logits_of(model: tfjs.TfjsModel, images: Array) -> Array:
    """Run a model's artifacts as stored, without its background class."""
    run = execute.load(model.folder, model.converted.artifacts.model_json)
    outputs = np.concatenate([run(images[at : at + 25]) for at in range(0, len(images), 25)])
    return outputs[:, model.converted.card.label_offset :]


def rows(name: str, declared: Declared, tune: Path, rest: Photos, store: Store) -> list[Row]:
    """Store one model in all ways, and judge each."""
    silent = Silent()
    fetched = resolve.fetch(Request(name), store=store, progress=silent)
    fetched = type(fetched)(
        fetched.path, fetched.sha256, fetched.source, declared.over(fetched.declared)
    )

    def converted(quantization: Quantization) -> tfjs.TfjsModel:
        return tfjs.run(
            fetched, quantization=quantization, shard_bytes=4 << 20, store=store, progress=silent
        )

    exact = converted("none")
    judged = calibration.load(rest, exact.converted.card, label="", progress=silent)
    reference = logits_of(exact, judged.images)
    found = []
    for recipe in RECIPES:
        begun = time.perf_counter()
        if recipe in ("float16", "uint8"):
            model = converted("float16" if recipe == "float16" else "uint8")
        else:
            options = QuantizeSettings(
                recipe="auto" if "auto" in recipe else "mixed",
                form="stock" if "stock" in recipe else "packed",
                calibration=None if "no photos" in recipe else tune,
            )
            model = compression.run(exact, options, store=store, progress=silent).model
        seconds = time.perf_counter() - begun
        verdict = judge(logits_of(model, judged.images), judged.truth, reference)
        found.append(
            Row(recipe, brotli_bytes(model.folder, model.converted.artifacts), seconds, verdict)
        )
        show(name, found[0], found[-1])
    return found


def show(model: str, float16: Row, row: Row) -> None:
    """Print one row, relative to stock float16."""
    verdict = row.verdict
    drop, agreement, expected = verdict.drop, verdict.agreement, verdict.expected_drop
    if drop is None or agreement is None or expected is None:
        raise ValueError("the photos have no labels")
    sys.stdout.write(
        f"{Path(model).name.split('.')[0]:<22}{row.name:<26}{row.bytes / 1e3:9.0f} kB"
        f"{row.bytes / float16.bytes:7.3f}{drop.points:7.1f} ({drop.low:5.1f} …{drop.high:5.1f})"
        f"{expected.points:10.2f}{agreement.value:9.1%}{row.seconds:8.0f} s\n"
    )
    sys.stdout.flush()


def main() -> None:
    """Measure the three models of the table in `docs/compression.md`."""
    photos = SHARED / "data" / "imagenet-500"
    if not photos.is_dir():
        sys.exit(f"bench-size needs an ImageFolder at {photos}; set TOOLCHAIN_SHARED")
    tune, rest = halves(photos)
    unit = Declared(value_range=(0.0, 1.0))
    models = {
        str(SHARED / "models" / "mobilenet_v2_100_224.tar.gz"): unit,
        "embedded": Declared(),
        str(SHARED / "models" / "mobilenet_v1_025_224.tar.gz"): unit,
    }
    sys.stdout.write(
        f"{'model':<22}{'weights':<26}{'brotli':>12}{'ratio':>7}{'drop':>7} (95 % interval)"
        f"{'expected':>10}{'agree':>8}{'seconds':>10}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        calibration_folder = folder_of(tune, Path(folder) / "tune")
        for name, declared in models.items():
            rows(name, declared, calibration_folder, rest, Store(Path(folder) / "cache"))


if __name__ == "__main__":
    main()
