"""Finds how coarse a plan may be: as few bytes as the allowed drop leaves.

Each candidate is rounded in full and judged on photos that the rounding has not seen.
The drop is of top-1 where the photos have labels, else of agreement with the float
network. It falls with the bytes but for noise, so a few steps of bisection find the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.compress.walk import Walk
from toolchain.errors import ToolchainError
from toolchain.evaluation.metrics import Verdict, judge

if TYPE_CHECKING:
    from toolchain.compress.network import Network
    from toolchain.compress.quantise import Quantised, Quantiser
    from toolchain.progress import Progress

    Array = np.ndarray[Any, Any]

_FIRST_BITS = 4.6  # for each weight: where most networks stand with a drop under one point
_STEP_BITS = 0.4
_RUNS = 5
_BATCH = 25


@dataclass(frozen=True)
class Judge:
    """Photos that candidates are judged on.

    Args:
        images: float32 `[n, height, width, 3]`.
        truth: Output index of each photo's label, `[n]`; None where they have none.
        float_logits: The float network's output for them.
    """

    images: Array
    truth: Array | None
    float_logits: Array

    def verdict(self, network: Network, quantised: Quantised) -> Verdict:
        """Run a quantised network on the photos and compare."""
        logits = outputs(quantised.applied_to(network), self.images)
        return judge(logits, self.truth, self.float_logits)


@dataclass(frozen=True)
class Candidate:
    """One point of the front of bytes against accuracy."""

    coarseness: float
    bytes: int
    drop: float
    """In points, of top-1 or of agreement."""
    verdict: Verdict
    quantised: Quantised


def outputs(network: Network, images: Array) -> Array:
    """Return a network's outputs, float32 `[n, classes]`, a few images at a time."""
    chunks = range(0, len(images), 4 * _BATCH)
    return np.concatenate(
        [Walk(network, images[at : at + 4 * _BATCH], _BATCH).finish() for at in chunks]
    )


def drop_of(verdict: Verdict) -> float:
    """Return the drop in points, of top-1 where it is known, else of agreement."""
    if verdict.drop is not None:
        return verdict.drop.points
    if verdict.agreement is None:
        raise ValueError("nothing to compare with")
    return 100 * (1 - verdict.agreement.value)


def find(
    network: Network,
    quantiser: Quantiser,
    judge_by: Judge,
    *,
    max_drop: float,
    max_bytes: int | None,
    progress: Progress,
) -> Candidate:
    """Return the candidate with the fewest bytes whose drop is allowed.

    Raises:
        ToolchainError: No candidate keeps both limits; the nearest is named.
    """
    weights = sum(network.weights[layer.kernel].size for layer in network.layers)
    bits = _FIRST_BITS
    if max_bytes is not None:
        bits = min(bits, 8 * max_bytes / weights)
    best: Candidate | None = None
    nearest: Candidate | None = None
    low, high = None, None  # bits that drop too much, bits that do not
    for run in range(1, _RUNS + 1):
        candidate = _try(network, quantiser, judge_by, round(bits * weights / 8), progress)
        progress.say(
            f"Plan {run}: {candidate.bytes / 1e6:.2f} MB, {bits:.2f} bits a weight, "
            f"drop {candidate.drop:.2f} points"
        )
        fits = max_bytes is None or candidate.bytes <= max_bytes
        if nearest is None or candidate.drop < nearest.drop:
            nearest = candidate
        if candidate.drop <= max_drop:
            high = bits
            if fits and (best is None or candidate.bytes < best.bytes):
                best = candidate
        else:
            low = bits
        if low is not None and high is not None:
            if high - low < _STEP_BITS / 2:
                break
            bits = (low + high) / 2
        else:
            bits += _STEP_BITS if low is not None else -_STEP_BITS
        if max_bytes is not None and bits > 8 * max_bytes / weights:
            break
    if best is not None:
        return best
    assert nearest is not None  # noqa: S101 - the loop runs at least once
    limit = "" if max_bytes is None else f" within {max_bytes / 1e6:.2f} MB"
    raise ToolchainError(
        f"no plan keeps the drop under {max_drop:g} points{limit}; the nearest found has "
        f"{nearest.bytes / 1e6:.2f} MB and drops {nearest.drop:.2f} points: allow more with "
        "--max-drop or --max-bytes, or give photos like your own with --calibration"
    )


def _try(
    network: Network, quantiser: Quantiser, judge_by: Judge, wanted: int, progress: Progress
) -> Candidate:
    coarseness = quantiser.coarseness_for(wanted)
    quantised = quantiser.run(coarseness, progress)
    verdict = judge_by.verdict(network, quantised)
    return Candidate(coarseness, quantised.bytes, drop_of(verdict), verdict, quantised)
