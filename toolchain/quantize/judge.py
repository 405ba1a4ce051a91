"""Judges a quantised network on photos that its rounding has not seen.

What decides is the expected drop: the top-1 that the float network's scores say is lost. Where
photos have labels the scores are calibrated by them; where they have none, nobody knows how well
the scores are calibrated, and it is the upper end of the interval that decides. A network whose
labels have scores of their own is judged by the change of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.metrics import single_label
from toolchain.metrics.scores import scores_of
from toolchain.quantize.walk import Walk

if TYPE_CHECKING:
    from toolchain.quantize.layer_graph import LayerGraph
    from toolchain.quantize.quantizer import Quantized
    from toolchain.records.card import Activation
    from toolchain.records.verdict import Verdict

    Array = np.ndarray[Any, Any]

_BATCH = 25


@dataclass(frozen=True)
class Judge:
    """Photos that candidates are judged on.

    Args:
        images: float32 `[n, height, width, 3]`: photos, then generated pictures, then photos that
            the rounding has seen.
        truth: Output index of each photo's label, `[photos]`; None where they have none.
        float_outputs: The float network's output for all images, `[n, classes]`.
    """

    images: Array
    truth: Array | None
    float_outputs: Array
    activation: Activation = "softmax"
    """What turns the network's outputs into scores."""
    multi_label: bool = False
    """Whether each label has a score of its own, so that more than the first counts."""
    generated: int = 0
    """How many of the images are no photos at all."""
    seen: int = 0
    """How many, the last ones, the rounding has seen: they only add to what errors look like."""
    others: Array | None = None
    """The float network's output for photos that the rounding has seen, `[m, classes]`: how near
    to a tie they stand is as true of them as of those that are judged on. The first are those
    that are among the images."""
    others_truth: Array | None = None
    """Output index of their labels, `[m]`; None where they have none."""
    magnified: float = 1.0
    """What errors are multiplied by, where those seen here are known to be too small or large."""

    @property
    def photos(self) -> int:
        """Number of images that are photos."""
        return len(self.images) - self.generated - self.seen

    @cached_property
    def _reference(self) -> Array:
        return scores_of(self.float_outputs, self.activation)

    @cached_property
    def _others(self) -> Array | None:
        return None if self.others is None else scores_of(self.others, self.activation)

    def verdict(self, network: LayerGraph, quantised: Quantized) -> Verdict:
        """Run a quantised network on the photos and compare."""
        return self.verdict_of(outputs(quantised.applied_to(network), self.images))

    def verdict_of(self, given: Array) -> Verdict:
        """Compare what a network gave for the images, float32 `[n, classes]`.

        Counts and shares are those of the photos; what is expected, that of all images.
        """
        count = len(given) - self.seen
        everything = scores_of(given, self.activation)
        scores, reference = everything[:count], self._reference[:count]
        counted = slice(0, self.photos or None)
        verdict = single_label.judge_scores(
            scores[counted], self.truth, reference[counted], multi_label=self.multi_label
        )
        # Pictures that stand between labels flip where photos do not.
        of_photos = {} if self.photos else {"agreement": None}
        if self.multi_label:
            change = single_label.score_change(scores, reference)
            return verdict.model_copy(update=of_photos | {"score_change": change})
        expected = single_label.expected_drop(
            scores,
            reference,
            self.truth,
            others=self._others,
            others_truth=self.others_truth,
            others_scores=everything[count:],
            magnified=self.magnified,
        )
        return verdict.model_copy(update=of_photos | {"expected_drop": expected})

    @property
    def described(self) -> str:
        """Say what they are: `62 photos and 194 generated pictures`."""
        said = [f"{self.photos} photos"] if self.photos else []
        if self.generated:
            said.append(f"{self.generated} generated pictures")
        return " and ".join(said)


def outputs(network: LayerGraph, images: Array) -> Array:
    """Return a network's outputs, float32 `[n, classes]`, a few images at a time."""
    chunks = range(0, len(images), 4 * _BATCH)
    return np.concatenate(
        [Walk(network, images[at : at + 4 * _BATCH], _BATCH).finish() for at in chunks]
    )


def drop_of(verdict: Verdict) -> float:
    """Return the drop in points that a plan has to answer for.

    Where photos have labels it is the expected drop of top-1, which they have calibrated, or what
    the labels prove at least; where they have none, the upper end of what is expected. Where
    labels have scores of their own, it is the upper end of the change of all scores.
    """
    if verdict.score_change is not None:
        return verdict.score_change.high
    if verdict.expected_drop is None:
        raise ValueError("nothing to compare with")
    if verdict.drop is None:
        return verdict.expected_drop.high
    return max(verdict.expected_drop.points, verdict.drop.low)
