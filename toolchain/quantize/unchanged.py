"""Holds the canonical network to the converted one: both must give the same answer.

What is compressed, judged and compared with afterwards is the canonical network. If it
computed something else than the converted graph, every figure would be of another network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import ToolchainError
from toolchain.quantize import calibration
from toolchain.quantize.judge import outputs
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.quantize.layer_graph import LayerGraph
    from toolchain.quantize.quantizer import Quantized
    from toolchain.tfjs.stage import TfjsModel

    Array = np.ndarray[Any, Any]

TOLERANCE = 1e-3
"""How far outputs may differ, of the largest one.

Folding multiplies and adds in another order: the networks that the tests make differ by 1e-6
at most, and deep ones by 1e-5.
"""


def check(source: TfjsModel, network: LayerGraph, *, seed: int) -> None:
    """Run the converted and the canonical graph on two inputs and compare.

    One input is noise over the whole range of the model's input, the other a generated picture.

    Args:
        source: The float32 model as it was converted.
        network: What was read of it.
        seed: Of both inputs.

    Raises:
        ToolchainError: The answers differ by more than :data:`TOLERANCE`.
    """
    card = source.converted.card
    picture = calibration.generated(card.input, count=1, seed=seed)
    noise = np.random.default_rng(seed).uniform(picture.min(), picture.max(), picture.shape)
    images = np.concatenate([picture, noise.astype(np.float32)])
    converted = execute.load(source.folder, source.converted.artifacts.model_json)(images)
    moved = difference(converted, outputs(network, images))
    if not moved <= TOLERANCE:
        raise ToolchainError(
            f"{card.provenance.name} cannot be compressed: making its graph canonical moved the "
            f"answer by {moved:.2g} of its largest output, where {TOLERANCE:g} is allowed; build "
            "it with --quantize float16, which leaves the graph as it is"
        )


def check_written(
    source: TfjsModel, network: LayerGraph, quantised: Quantized, folder: Path, *, seed: int
) -> None:
    """Run the files that were written of a plan, and the network that was planned, and compare.

    Args:
        source: The float32 model as it was converted.
        network: The canonical float network.
        quantised: What was planned.
        folder: Of the sealed artifacts.
        seed: Of the picture that is shown to both.

    Raises:
        ToolchainError: The answers differ by more than :data:`TOLERANCE`.
    """
    (model_json,) = folder.glob("model.*.json")
    image = calibration.generated(source.converted.card.input, count=1, seed=seed)
    written = execute.load(folder, model_json.name)(image)
    moved = difference(outputs(quantised.applied_to(network), image), written)
    if not moved <= TOLERANCE:
        raise ToolchainError(
            f"{source.converted.card.provenance.name} cannot be compressed: writing its weights "
            f"moved the answer by {moved:.2g} of its largest output, where {TOLERANCE:g} is "
            "allowed; build it with --quantize float16, and please report it"
        )


def difference(expected: Array, found: Array) -> float:
    """Return the largest difference, relative to the largest expected value.

    Infinite where the shapes differ, or where either holds what is no finite number.
    """
    if expected.shape != found.shape:
        return float("inf")
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return float("inf")
    largest = float(np.abs(expected).max(initial=0))
    return float(np.abs(expected - found).max(initial=0)) / max(largest, 1e-30)
