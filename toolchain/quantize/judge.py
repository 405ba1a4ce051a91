"""Judges a quantised network on photos that it was not rounded by.

The expected drop decides: the top-1 that is lost according to the float network's scores. With
labelled photos these scores are calibrated. Without labels their calibration is unknown, so the
upper end of the interval decides. A multi-label network is judged by the change of all scores.
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
    """Judges candidates on a fixed set of photos.

    Args:
        images: float32 `[n, height, width, 3]`: photos, then generated pictures, then photos that
            candidates are rounded by.
        truth: Output index of each photo's label, `[photos]`; None if they have no labels.
        float_outputs: The float network's output for all images, `[n, classes]`.
    """

    images: Array
    truth: Array | None
    float_outputs: Array
    activation: Activation = "softmax"
    """What turns the network's outputs into scores."""
    multi_label: bool = False
    """Whether each label has its own score, so that not only the first label counts."""
    generated: int = 0
    """How many of the images are generated pictures."""
    seen: int = 0
    """How many images, the last ones, candidates are rounded by: they add samples of errors."""
    others: Array | None = None
    """The float network's output for photos that candidates are rounded by, `[m, classes]`. The
    gaps between their best scores are as typical as those of the other photos. The first of them
    are the ones among the images."""
    others_truth: Array | None = None
    """Output index of their labels, `[m]`; None if they have no labels."""
    magnified: float = 1.0
    """Factor for the errors, where those measured here are known to be too small or too large."""

    held_out: Array | None = None
    """What a model that has not learned from an image would have said instead, minus the float
    network's output: `[n, classes]`. A network is surer of photos that it has learned from, so
    without it too little would seem lost. None if none were learned from."""

    @property
    def photos(self) -> int:
        """Number of images that are photos."""
        return len(self.images) - self.generated - self.seen

    @cached_property
    def _reference(self) -> Array:
        return scores_of(self._as_held_out(self.float_outputs), self.activation)

    @cached_property
    def _others(self) -> Array | None:
        return None if self.others is None else scores_of(self.others, self.activation)

    def verdict(self, network: LayerGraph, quantised: Quantized) -> Verdict:
        """Run a quantised network on the photos and compare."""
        return self.verdict_of(outputs(quantised.applied_to(network), self.images))

    def verdict_of(self, given: Array) -> Verdict:
        """Compare a network's outputs for the images, float32 `[n, classes]`, with the float ones.

        Counts and shares are of the photos alone; the expected drop uses all images.
        """
        count = len(given) - self.seen
        everything = scores_of(self._as_held_out(given), self.activation)
        scores, reference = everything[:count], self._reference[:count]
        counted = slice(0, self.photos or None)
        verdict = single_label.judge_scores(
            scores[counted], self.truth, reference[counted], multi_label=self.multi_label
        )
        # Generated pictures lie between labels, so their first label changes more easily.
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

    def _as_held_out(self, given: Array) -> Array:
        return given if self.held_out is None else given + self.held_out

    @property
    def described(self) -> str:
        """The images in words: `62 photos and 194 generated pictures`."""
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
    """Return the drop in points that a plan's limit is compared with.

    - Labelled photos: the expected drop of top-1, calibrated by the labels, or the lower end of
      the counted drop if that is more.
    - Photos without labels: the upper end of the expected drop.
    - Multi-label networks: the upper end of the change of all scores.
    """
    if verdict.score_change is not None:
        return verdict.score_change.high
    if verdict.expected_drop is None:
        raise ValueError("nothing to compare with")
    if verdict.drop is None:
        return verdict.expected_drop.high
    return max(verdict.expected_drop.points, verdict.drop.low)
