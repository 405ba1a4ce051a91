"""Build sites of trained models, and judge them on photos that nothing has seen."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from toolchain.evaluation.stage import EvaluationOptions
from toolchain.measurement.stage import MeasureOptions
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.pipeline.evaluate import evaluate
from toolchain.pipeline.measure import measure
from toolchain.pipeline.train import train
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records import site_files
from toolchain.sources.request import Request
from toolchain.throttling import LINKS
from toolchain.training.options import TrainOptions

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.records.verdict import Verdict

_HELD_OUT = 0.3  # of each tag's photos


@dataclass(frozen=True)
class BuiltSite:
    """What a site of a trained model comes to."""

    model_bytes: int
    """`model.json` and the weights, after Brotli."""
    visit_bytes: int
    """All that a first visit transfers, with 300 bytes for each response's headers."""
    verdict: Verdict
    """On photos that were neither trained, calibrated nor chosen with."""

    def __str__(self) -> str:
        top1, before, drop = self.verdict.top1, self.verdict.reference_top1, self.verdict.drop
        assert top1
        assert before
        assert drop
        return (
            f"{100 * before.value:.1f} → {100 * top1.value:.1f} % on {self.verdict.photos} photos "
            f"(drop {drop.points:+.1f}, {drop.low:+.1f} … {drop.high:+.1f}), model "
            f"{self.model_bytes:,} bytes, first visit {self.visit_bytes:,}"
        )


def divided(photos: Path, scratch: Path) -> tuple[Path, Path]:
    """Copy a photo set in two parts: to train with, and to test by."""
    random = np.random.default_rng(0)
    parts = scratch / f"{photos.name} to train", scratch / f"{photos.name} to test"
    for folder in sorted(path for path in photos.iterdir() if path.is_dir()):
        paths = sorted(folder.iterdir())
        held = set(random.choice(len(paths), round(_HELD_OUT * len(paths)), replace=False))
        for place, path in enumerate(paths):
            target = parts[place in held] / folder.name
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return parts


def built(options: TrainOptions, test: Path, store: Store, scratch: Path) -> BuiltSite:
    """Train, build with `auto`, visit the site once, and judge it.

    Args:
        options: What to train. Its `max_bytes` limits the build too.
        test: Photos to judge by.
        store: The cache.
        scratch: A folder that does not exist.
    """
    model, site = scratch / "photos.model", scratch / "site"
    train(options, model, store=store)
    # A limit of bytes may cost more than the usual point.
    max_drop = 1.0 if options.max_bytes is None else 2.0
    weights = QuantizeSettings("auto", max_drop=max_drop, max_bytes=options.max_bytes)
    report = build(BuildOptions(Request(str(model)), site, weights), store=store)
    visits = measure(MeasureOptions(str(site), LINKS["none"], runs=1))
    judged = evaluate(
        EvaluationOptions(Request(str(site)), test, reference=Request(str(model))), store=store
    )
    sent = site_files.model_bytes(report.files, "model", report.artifacts)
    return BuiltSite(sent, visits.first.wire_bytes, judged.verdict)


def rows(data: Path, base: str, store: Store, scratch: Path) -> list[str]:
    """Return a line for each site."""
    lines = []
    for name in ("flowers", "trash", "groceries"):
        kept, test = divided(data / name, scratch)
        options = TrainOptions(kept, (Request(base),), group_by="none")
        lines.append(f"{name}: {built(options, test, store, scratch / f'{name} site')}")
        if name == "flowers":
            small = replace(options, max_bytes=300_000)
            lines.append(
                f"{name}, --max-bytes 300000: {built(small, test, store, scratch / 'small site')}"
            )
    return lines
