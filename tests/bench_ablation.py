"""What each method of compression brings, at the same bytes: `make bench-ablation`.

MobileNetV1 0.25 is quantised to the same estimated bytes with one method at a time left
out, and judged on photos it was not rounded by (the halves of `tests/bench_size.py`).
KL is the mean divergence of the page's scores from the float network's: it moves long
before a tag does.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from tests.bench_size import SHARED, halves
from toolchain import tf as tensorflow
from toolchain.card import Declared
from toolchain.compress import calibration, network, quantise, rounding, search, sensitivity
from toolchain.evaluation.metrics import judge, softmax
from toolchain.progress import Silent
from toolchain.sources import resolve
from toolchain.store import Store
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray[Any, Any]

BITS = 4.5
PHOTOS = 128


def plainly(weights: Array, _spread: Array, steps: Array) -> rounding.Rounded:
    """Round each weight to the nearest step by itself."""
    values = np.clip(np.rint(weights / steps), -rounding.LARGEST, rounding.LARGEST)
    return rounding.Rounded(values.astype(np.int16), steps)


def without_shift(round_layer: Callable[..., Any]) -> Callable[..., Any]:
    """Leave the biases as they are."""

    def run(*arguments: Any) -> tuple[rounding.Rounded, Array]:
        rounded, shift = round_layer(*arguments)
        return rounded, np.zeros_like(shift)

    return run


@contextlib.contextmanager
def left_out(method: str) -> Iterator[None]:
    """Do without one method while the block runs."""
    with contextlib.ExitStack() as stack:
        if method == "GPTQ (errors handed on)":
            stack.enter_context(mock.patch.object(rounding, "round_weights", plainly))
            stack.enter_context(mock.patch.object(rounding, "round_depthwise", plainly))
        elif method == "refit to rounded inputs":
            keep = mock.patch.object(rounding, "refit", lambda weights, *_: weights)
            stack.enter_context(keep)
        elif method == "bias correction":
            shifted = staticmethod(without_shift(quantise.Quantiser._round))
            stack.enter_context(mock.patch.object(quantise.Quantiser, "_round", shifted))
        elif method == "finer steps for small kernels":
            stack.enter_context(mock.patch.object(quantise, "_FEW", 1.0))
        yield


def main() -> None:
    """Print one row for each method."""
    silent = Silent()
    tune, rest = halves(SHARED / "data" / "imagenet-500")
    model = str(SHARED / "models" / "mobilenet_v1_025_224.tar.gz")
    with tempfile.TemporaryDirectory() as folder, tensorflow.quiet():
        store = Store(Path(folder))
        fetched = resolve.fetch(resolve.Request(model), store=store, progress=silent)
        declared = Declared(value_range=(0.0, 1.0)).over(fetched.declared)
        fetched = type(fetched)(fetched.path, fetched.sha256, fetched.source, declared)
        exact = tfjs.run(
            fetched, quantization="none", shard_bytes=4 << 20, store=store, progress=silent
        )
        read = network.read(exact.folder, exact.converted.artifacts.model_json)
        card = exact.converted.card
        photos = calibration.load(tune.limited(PHOTOS), card, label="", progress=silent).images
        judged = calibration.load(rest, card, label="", progress=silent)
        felt = sensitivity.measure(read, photos[:64], seed=0, progress=silent)
        reference = search.outputs(read, judged.images)
    wanted = round(sum(read.weights[layer.kernel].size for layer in read.layers) * BITS / 8)
    methods = (
        "nothing",
        "GPTQ (errors handed on)",
        "refit to rounded inputs",
        "bias correction",
        "finer steps for small kernels",
        "sensitivities by channel",
        "sensitivities at all",
    )
    sys.stdout.write(f"{'left out':<32}{'bytes':>9}{'drop':>8}{'agree':>8}{'KL':>9}\n")
    for method in methods:
        with left_out(method), tensorflow.quiet():
            quantiser = quantise.Quantiser(
                read, photos, _sensitivities(felt, method), seed=0, progress=silent
            )
            result = quantiser.run(quantiser.coarseness_for(wanted), silent)
            logits = search.outputs(result.applied_to(read), judged.images)
        verdict = judge(logits, judged.truth, reference)
        expected, found = softmax(reference), softmax(logits)
        divergence = (expected * np.log(expected / found)).sum(axis=1).mean()
        assert verdict.drop is not None
        assert verdict.agreement is not None
        sys.stdout.write(
            f"{method:<32}{result.bytes:9,}{verdict.drop.points:8.1f}"
            f"{verdict.agreement.value:8.1%}{divergence:9.4f}\n"
        )
        sys.stdout.flush()


def _sensitivities(felt: dict[str, Array], method: str) -> dict[str, Array]:
    if method == "sensitivities by channel":
        return {name: np.full_like(value, value.mean()) for name, value in felt.items()}
    if method == "sensitivities at all":
        return {name: np.ones_like(value) for name, value in felt.items()}
    return felt


if __name__ == "__main__":
    main()
