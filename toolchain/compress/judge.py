"""Judges a quantised network on photos that its rounding has not seen.

The drop is of top-1 where the photos have labels, else of agreement with the float network.
Generated pictures have no right label, and flip more easily than photos do; of them it is the
top-1 that the float network's own scores say is lost, at the upper end of its interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.compress.walk import Walk
from toolchain.evaluation.metrics import Verdict, judge

if TYPE_CHECKING:
    from toolchain.compress.network import Network
    from toolchain.compress.quantise import Quantised

    Array = np.ndarray[Any, Any]

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
    generated: bool = False
    """Whether they are no photos at all."""

    def verdict(self, network: Network, quantised: Quantised) -> Verdict:
        """Run a quantised network on the photos and compare."""
        return self.verdict_of(outputs(quantised.applied_to(network), self.images))

    def verdict_of(self, logits: Array) -> Verdict:
        """Compare what a network gave for the photos, float32 `[n, classes]`."""
        verdict = judge(logits, self.truth, self.float_logits)
        if self.generated:
            # Pictures that stand between labels flip where photos do not.
            return verdict.model_copy(update={"agreement": None})
        return verdict

    def drop_of(self, verdict: Verdict) -> float:
        """Return the drop in points, of what these photos can tell."""
        if self.generated and verdict.expected_drop is not None:
            return verdict.expected_drop.high
        return drop_of(verdict)

    @property
    def described(self) -> str:
        """Say what they are: `250 photos`, or `64 generated pictures`."""
        return f"{len(self.images)} {'generated pictures' if self.generated else 'photos'}"


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
