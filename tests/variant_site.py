"""A site with variants, and the tags expected of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.browser import SAMPLES
from toolchain.graph import preprocess
from toolchain.metrics.scores import softmax
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared
from toolchain.sources.request import Request
from toolchain.tfjs import execute
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.records import build_report
    from toolchain.records.artifacts import Artifacts

FIRST, *OTHERS = ("float16", "mixed", "uint8")
SAME_PIXELS = 1e-3  # as in test_page.py
Tags = list[tuple[int, float]]


@dataclass(frozen=True)
class Site:
    """A site with variants."""

    folder: Path
    report: build_report.Report

    def tags(self, name: str, photo: Path) -> Tags:
        """Tag a photo with a variant, by TensorFlow in Python."""
        artifacts = self.artifacts(name)
        run = execute.load(self.place(name), artifacts.model_json)
        scores = softmax(run(preprocess.load(photo, self.report.card.input)[None]))[0]
        return [(int(index), float(scores[index])) for index in np.argsort(-scores)]

    def artifacts(self, name: str) -> Artifacts:
        if name == FIRST:
            return self.report.artifacts
        return next(one.artifacts for one in self.report.variants if one.name == name)

    def place(self, name: str) -> Path:
        return self.folder / ("model" if name == FIRST else f"variants/{name}")

    def weight_bytes(self, name: str) -> int:
        """Return the size of the variant's weight files on the disk."""
        shards = self.artifacts(name).shards
        return sum((self.place(name) / shard).stat().st_size for shard in shards)


def variant_site(shared: Path, folder: Path, store: Store) -> Site:
    """Build a site of MobileNetV1 0.25, which uint8 ruins."""
    options = BuildOptions(
        request=Request(str(shared / "models" / "mobilenet_v1_025_224.tar.gz")),
        out=folder / "site",
        declared=Declared(value_range=(0.0, 1.0)),
        variants=(
            QuantizeSettings("mixed", calibration=SAMPLES),
            Stored("uint8"),
        ),
    )
    return Site(options.out, build(options, store=store, progress=Silent()))
