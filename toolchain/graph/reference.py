"""What a source model says of a few pictures, kept beside what is made of it to compare with."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import ToolchainError
from toolchain.graph import classifier as classifiers
from toolchain.graph import ending, preprocess
from toolchain.graph.running import probe_pictures
from toolchain.metrics.scores import scores_of

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.graph.classifier import Classifier
    from toolchain.records.card import Activation, ModelCard

    Array = np.ndarray[Any, Any]

EXACT = 1e-3
"""By which scores in 0…1 may differ where only the order of float32 sums differs. Networks of
fifty layers were seen to differ by 1e-5."""
HALF = 2e-2
"""Likewise where one of the two computes or stores halves, which have three digits."""
_PICTURES = 3


@dataclass(frozen=True)
class Reference:
    """Pictures of the network's size, and the source model's scores for them."""

    pictures: Array
    """uint8 `[n, height, width, 3]`, red, green and blue."""
    scores: Array
    """float32 `[n, classes]`, those before the first label included."""

    def images(self, card: ModelCard) -> Array:
        """Return the pictures as the network is fed them, float32 `[n, height, width, 3]`."""
        return preprocess.values(self.pictures.astype(np.float32), card.input)

    def save(self, path: Path) -> None:
        """Write both as an `.npz` file."""
        # Made in memory: what numpy has begun on a full disk it complains of once more at its end.
        buffer = io.BytesIO()
        np.savez_compressed(buffer, pictures=self.pictures, scores=self.scores)
        path.write_bytes(buffer.getvalue())


def load(path: Path) -> Reference:
    """Read what :meth:`Reference.save` wrote."""
    with np.load(path) as arrays:
        return Reference(arrays["pictures"], arrays["scores"])


def take(model: Classifier) -> Reference:
    """Ask a source model about a few pictures, and see that its frozen graph says the same.

    Raises:
        ToolchainError: The graph says something else, so it would be another model.
    """
    card = model.card
    pictures = np.rint(
        probe_pictures(card.input.height, card.input.width, count=_PICTURES, seed=1)
    ).astype(np.uint8)
    images = preprocess.values(pictures.astype(np.float32), card.input)
    scores = classifiers.source_scores(model, images).astype(np.float32)
    frozen = ending.answers(model.converted, images)
    expect_same(
        scores,
        scores_of(frozen, model.ending.converted),
        within=HALF if model.source.is_widened else EXACT,
        name=card.provenance.source,
        before="the model itself",
        after="its frozen graph",
    )
    return Reference(pictures, scores)


def compare(
    reference: Reference,
    outputs: Array,
    activation: Activation,
    *,
    within: float,
    name: str,
    after: str,
) -> None:
    """See that a network's outputs for the pictures are the source model's scores.

    Args:
        reference: The pictures and their scores.
        outputs: Of the network, float `[n, classes]`.
        activation: What makes scores of them.
        within: By which a score may differ.
        name: What to call the model in messages.
        after: What to call the network.

    Raises:
        ToolchainError: They are others.
    """
    scores = scores_of(outputs, activation)
    expect_same(
        reference.scores,
        scores,
        within=within,
        name=name,
        before="the model itself",
        after=after,
    )


def expect_same(
    one: Array, other: Array, *, within: float, name: str, before: str, after: str
) -> None:
    """See that two rows of scores for the same pictures are alike.

    Raises:
        ToolchainError: They are not; the sentence says between which two the answer moved.
    """
    if one.shape != other.shape:
        raise ToolchainError(
            f"{name} cannot be built: {before} gives {one.shape[1]} scores and {after} "
            f"{other.shape[1]}; please report it with the model"
        )
    moved = float(np.abs(np.asarray(one, np.float64) - other).max())
    if not moved <= within:  # what is no number is not alike either
        raise ToolchainError(
            f"{name} cannot be built: {after} differs from {before} by {moved:.2g} in a score, "
            f"and {within:g} is allowed, so its tags would be others; export the model in another "
            "way, and please report it"
        )
