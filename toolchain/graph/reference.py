"""The source model's scores for a few pictures, kept to compare the converted models with."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import ToolchainError
from toolchain.graph import classifier as classifiers
from toolchain.graph import ending, features, preprocess, stability
from toolchain.graph.running import function_of, probe_pictures
from toolchain.metrics.scores import scores_of

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.graph.classifier import Classifier
    from toolchain.records.card import Activation, ModelCard

    Array = np.ndarray[Any, Any]

EXACT = 1e-3
"""How much scores in 0…1 may differ if only the order of float32 sums differs. The differences
seen in networks of fifty layers were 1e-5."""
HALF = 2e-2
"""How much they may differ if one side computes or stores half precision, which has three digits.
Chosen, not measured."""
_PICTURES = 3


@dataclass(frozen=True)
class Reference:
    """Pictures of the network's size, and the source model's scores for them."""

    pictures: Array
    """uint8 `[n, height, width, 3]`, red, green and blue."""
    scores: Array
    """float32 `[n, classes]`, including those before the first label."""
    cosines: Array | None = None
    """For a model with the rule "none of these", float32 `[n, labels]`."""

    def images(self, card: ModelCard) -> Array:
        """Return the pictures as the network's input, float32 `[n, height, width, 3]`."""
        return preprocess.values(self.pictures.astype(np.float32), card.input)

    def save(self, path: Path) -> None:
        """Write both as an `.npz` file."""
        # In memory first: on a full disk, NumPy would raise a second error when it closes its file.
        buffer = io.BytesIO()
        cosines = {} if self.cosines is None else {"cosines": self.cosines}
        np.savez_compressed(buffer, pictures=self.pictures, scores=self.scores, **cosines)
        path.write_bytes(buffer.getvalue())


def load(path: Path) -> Reference:
    """Read what :meth:`Reference.save` wrote."""
    with np.load(path) as arrays:
        return Reference(arrays["pictures"], arrays["scores"], arrays.get("cosines"))


def take(model: Classifier) -> Reference:
    """Run a source model on a few pictures, and check that its frozen graph gives the same scores.

    Raises:
        BadInputError: The scores differ, and the model's own scores depend on rounding.
        ToolchainError: The scores differ, so the frozen graph is not the same model.
    """
    card = model.card
    pictures = np.rint(
        probe_pictures(card.input.height, card.input.width, count=_PICTURES, seed=1)
    ).astype(np.uint8)
    images = preprocess.values(pictures.astype(np.float32), card.input)
    scores = classifiers.source_scores(model, images).astype(np.float32)
    frozen = ending.answers(model.converted, images)
    within = HALF if model.source.is_widened else EXACT
    with stability.explaining(model, images, scores, within):
        expect_same(
            scores,
            scores_of(frozen, model.ending.converted),
            within=within,
            name=card.provenance.source,
            before="the model itself",
            after="its frozen graph",
        )
    return Reference(pictures, scores, _cosines(model, images))


def _cosines(model: Classifier, images: Array) -> Array | None:
    """Return the cosines of the rule "none of these" by the source's features."""
    if (rule := model.card.none_of_these) is None:
        return None
    frozen = model.converted
    run = function_of(frozen.graph_def, frozen.input, features.name_in(frozen) or "")
    rows = [features.rows(run(image[None])) for image in images]
    return rule.cosines(np.concatenate(rows)).astype(np.float32)


def compare(
    reference: Reference,
    outputs: Array,
    activation: Activation,
    cosines: Array | None = None,
    *,
    within: float,
    name: str,
    after: str,
) -> None:
    """Check that a network's scores for the pictures are those of the source model.

    For a model with the rule "none of these", the cosines are compared too.

    Args:
        reference: The pictures and their scores.
        outputs: The network's outputs, float `[n, classes]`.
        activation: What turns them into scores.
        cosines: The network's cosines, float `[n, labels]`; None without the rule.
        within: How much a score or a cosine may differ.
        name: How messages name the model.
        after: How messages name the network.

    Raises:
        ToolchainError: The scores differ by more.
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
    if reference.cosines is not None and cosines is not None:
        expect_same(
            reference.cosines,
            cosines,
            within=within,
            name=name,
            before="the model itself",
            after=after,
            what="a cosine of none_of_these",
        )


def expect_same(
    one: Array,
    other: Array,
    *,
    within: float,
    name: str,
    before: str,
    after: str,
    what: str = "a score",
) -> None:
    """Check that two arrays of scores for the same pictures are alike.

    Args:
        one: Scores, float `[n, classes]`.
        other: Scores to compare with.
        within: How much a score may differ.
        name: How messages name the model.
        before: How messages name the form of the model that `one` is from.
        after: How messages name the other form.
        what: What messages call one of the numbers.

    Raises:
        ToolchainError: They are not; the message names the two forms of the model that differ.
    """
    if one.shape != other.shape:
        raise ToolchainError(
            f"{name} cannot be built: {before} returns {one.shape[1]} scores and {after} "
            f"{other.shape[1]}; please report it with the model"
        )
    moved = float(np.abs(np.asarray(one, np.float64) - other).max())
    if not moved <= within:  # also true for NaN
        raise ToolchainError(
            f"{name} cannot be built: {after} differs from {before} by {moved:.2g} in {what}, "
            f"but only {within:g} is allowed, so its tags could change; export the model in "
            "another way, and please report it"
        )
