"""Measure what each compression method brings, at the same bytes: `make bench-ablation`.

A model is quantised to the same estimated bytes with one method at a time left out or added, and
judged on photos it was not rounded by (the halves of `tests/benchmarks/size.py`). The model is
MobileNetV1 0.25, and without photos also the embedded EfficientNet-Lite0. KL is the mean divergence
of the page's scores from the float network's. `expected` is the loss of top-1 that those scores
imply. Both change long before a tag does.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tests.benchmarks.size import SHARED, halves
from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.graph import batchnorm
from toolchain.metrics.scores import softmax
from toolchain.progress import Silent
from toolchain.quantize import (
    calibration,
    canonical,
    layer_graph,
    pruning,
    quantizer,
    sensitivity,
    statistics,
)
from toolchain.quantize import judge as judges
from toolchain.quantize.quantizer import Methods
from toolchain.records.card import Declared
from toolchain.sources import resolve
from toolchain.sources.request import Request
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

BITS = 4.5
BLIND_BITS = 5.0
PHOTOS = 128


@dataclass(frozen=True)
class Row:
    """One way to quantise, at the same estimated bytes as the others of its table."""

    name: str
    methods: Methods = field(default_factory=Methods)
    felt: Callable[[dict[str, Array]], dict[str, Array]] = dict
    """Changes the sensitivities before they are used."""
    known: Literal["BatchNorm", "guessed", "sampled"] = "BatchNorm"
    """Where moments come from without photos."""


def by_layer(felt: dict[str, Array]) -> dict[str, Array]:
    """Give all channels of a layer the same sensitivity."""
    return {name: np.full_like(value, value.mean()) for name, value in felt.items()}


def alike(felt: dict[str, Array]) -> dict[str, Array]:
    """Give all layers the same sensitivity."""
    return {name: np.ones_like(value) for name, value in felt.items()}


LEFT_OUT = (
    Row("nothing"),
    Row("GPTQ (errors passed on)", Methods(second_order=False)),
    Row("refit to rounded inputs", Methods(refit=False)),
    Row("bias correction", Methods(bias_correction=False)),
    Row("finer steps for small kernels", Methods(finer_small_kernels=False)),
    Row("pruning (a wider zero)", Methods(dead_zone=pruning.ROUNDING)),
    Row("clipping", Methods(clipping=False)),
    Row("sensitivities by channel", felt=by_layer),
    Row("sensitivities at all", felt=alike),
)
ADDED = (Row("pruning up to 0.9 steps", Methods(dead_zone=0.9)),)
BLIND = (
    Row("nothing"),
    Row("BatchNorm's statistics", known="guessed"),
    Row("and the guess in their place", known="sampled"),
    Row("bias correction", Methods(bias_correction=False)),
    Row("GPTQ (errors passed on)", Methods(second_order=False)),
)


@dataclass(frozen=True)
class Subject:
    """The network, and the pictures that it is quantised and judged by."""

    network: layer_graph.LayerGraph
    normalised: tuple[batchnorm.Normalised, ...]
    photos: Array
    pictures: Array
    judge: judges.Judge


def prepare(model: str, user: Declared, store: Store) -> Subject:
    """Read the network and the photos."""
    silent = Silent()
    tune, rest = halves(SHARED / "data" / "imagenet-500")
    fetched = resolve.fetch(Request(model), store=store, progress=silent)
    declared = user.over(fetched.declared)
    fetched = replace(fetched, declared=declared)
    exact = tfjs.run(
        fetched, quantization="none", shard_bytes=4 << 20, store=store, progress=silent
    )
    read = canonical.read(exact.folder, exact.converted.artifacts.model_json)
    card = exact.converted.card
    judged = calibration.load(rest, card, label="", progress=silent)
    assert exact.statistics is not None
    return Subject(
        network=read,
        normalised=batchnorm.load(exact.statistics),
        photos=calibration.load(tune.limited(PHOTOS), card, label="", progress=silent).images,
        pictures=calibration.generated(card.input, count=64, seed=0),
        judge=judges.Judge(judged.images, judged.truth, judges.outputs(read, judged.images)),
    )


def table(subject: Subject, rows: tuple[Row, ...], title: str, *, blind: bool) -> None:
    """Print one line for each row, all at the same estimated bytes."""
    silent = Silent()
    bits = BLIND_BITS if blind else BITS
    images = subject.pictures if blind else subject.photos
    felt = sensitivity.measure(subject.network, images[:64], seed=0, progress=silent)
    known = statistics.of_inputs(subject.network, subject.normalised)
    sizes = [subject.network.weights[layer.kernel].size for layer in subject.network.layers]
    wanted = round(sum(sizes) * bits / 8)
    sys.stdout.write(
        f"{f'{title}, {bits} bits':<40}{'bytes':>9}{'drop':>8}{'expected':>10}"
        f"{'agree':>8}{'KL':>9}\n"
    )
    for row in rows:
        knows = {"BatchNorm": known, "guessed": {}, "sampled": None}[row.known] if blind else None
        quantiser = quantizer.Quantizer(
            subject.network,
            images,
            row.felt(felt),
            known=knows,
            methods=row.methods,
            seed=0,
            progress=silent,
        )
        result = quantiser.run(quantiser.coarseness_for(wanted), silent)
        logits = judges.outputs(result.applied_to(subject.network), subject.judge.images)
        show(row.name, result.bytes, logits, subject.judge)


def show(name: str, count: int, logits: Array, judge: judges.Judge) -> None:
    """Print one line."""
    verdict = judge.verdict_of(logits)
    expected, found = softmax(judge.float_outputs), softmax(logits)
    divergence = (expected * np.log(expected / found)).sum(axis=1).mean()
    assert verdict.drop is not None
    assert verdict.expected_drop is not None
    assert verdict.agreement is not None
    sys.stdout.write(
        f"{name:<40}{count:9,}{verdict.drop.points:8.1f}{verdict.expected_drop.points:10.2f}"
        f"{verdict.agreement.value:8.1%}{divergence:9.4f}\n"
    )
    sys.stdout.flush()


def main() -> None:
    """Print the tables."""
    small = str(SHARED / "models" / "mobilenet_v1_025_224.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        with tensorflow.quiet():
            subject = prepare(small, Declared(value_range=(0.0, 1.0)), store)
        table(subject, LEFT_OUT, "left out, by photos", blind=False)
        table(subject, ADDED, "added", blind=False)
        table(subject, BLIND, "left out, no photos", blind=True)
        with tensorflow.quiet():
            subject = prepare("embedded", Declared(), store)
        table(subject, BLIND, "left out, no photos, Lite0", blind=True)


if __name__ == "__main__":
    main()
