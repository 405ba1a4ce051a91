"""Checks that the canonical and the written network compute the same as the converted one.

The canonical network is what is quantised and judged, and what plans are compared with. If it
computed something else than the converted graph, every figure would be wrong.
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
"""How far outputs may differ, relative to the largest output.

Folding changes the order of multiplications and additions. The tests' random networks differ by
1e-6 at most, deep networks by 1e-5.
"""


def check(source: TfjsModel, network: LayerGraph, *, seed: int) -> None:
    """Run the converted and the canonical graph on two inputs and compare.

    One input is noise over the whole range of the model's input, the other a generated picture.

    Args:
        source: The float32 model as it was converted.
        network: The canonical network that was read from it.
        seed: Seed of both inputs.

    Raises:
        ToolchainError: The outputs differ by more than :data:`TOLERANCE`.
    """
    card = source.converted.card
    picture = calibration.generated(card.input, count=1, seed=seed)
    noise = np.random.default_rng(seed).uniform(picture.min(), picture.max(), picture.shape)
    images = np.concatenate([picture, noise.astype(np.float32)])
    converted = execute.load(source.folder, source.converted.artifacts.model_json)(images)
    moved = difference(converted, outputs(network, images))
    if not moved <= TOLERANCE:
        raise ToolchainError(
            f"{card.provenance.name} cannot be quantised: making its graph canonical changed the "
            f"output by {moved:.2g} of its largest value, where {TOLERANCE:g} is allowed; build "
            "it with --quantize float16, which does not change the graph"
        )


def check_written(
    source: TfjsModel, network: LayerGraph, quantised: Quantized, folder: Path, *, seed: int
) -> None:
    """Run the written files and the quantised network on one picture and compare.

    Args:
        source: The float32 model as it was converted.
        network: The canonical float network.
        quantised: The quantised weights.
        folder: Folder of the sealed artifacts.
        seed: Seed of the generated picture.

    Raises:
        ToolchainError: The outputs differ by more than :data:`TOLERANCE`.
    """
    (model_json,) = folder.glob("model.*.json")
    image = calibration.generated(source.converted.card.input, count=1, seed=seed)
    written = execute.load(folder, model_json.name)(image)
    moved = difference(outputs(quantised.applied_to(network), image), written)
    if not moved <= TOLERANCE:
        raise ToolchainError(
            f"{source.converted.card.provenance.name} cannot be quantised: writing its weights "
            f"changed the output by {moved:.2g} of its largest value, where {TOLERANCE:g} is "
            "allowed; build it with --quantize float16, and please report it"
        )


def difference(expected: Array, found: Array) -> float:
    """Return the largest difference, relative to the largest expected value.

    Infinite if the shapes differ, or if either array holds NaN or infinity.
    """
    if expected.shape != found.shape:
        return float("inf")
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return float("inf")
    largest = float(np.abs(expected).max(initial=0))
    return float(np.abs(expected - found).max(initial=0)) / max(largest, 1e-30)
