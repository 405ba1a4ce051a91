"""Outputs of the last layer for photos that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.training import logistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.records.card import Task

    Array = np.ndarray[Any, Any]

STRENGTHS = (0.1, 0.3, 1.0, 3.0)
"""Values of C that are compared, from the strongest penalty to the weakest. On the photo sets of
docs/train.md the best lies between 0.1 and 3 at every depth."""


@dataclass(frozen=True)
class OutOfFold:
    """The outputs for all photos, each by a layer that has not learned from it."""

    outputs: Array
    """float64 `[photos, tags]`, before softmax or sigmoid."""
    inverse_regularisation: float


def outputs(
    rotated: logistic.Rotated,
    truth: Array,
    folds: Array,
    *,
    task: Task,
    strengths: Sequence[float] = STRENGTHS,
    tolerance: float = logistic.TOLERANCE,
) -> list[OutOfFold]:
    """Return the out-of-fold outputs for each C.

    Args:
        rotated: The features. The rotation knows all photos, but none of their tags; it does not
            change what a layer learns.
        truth: Bool `[photos, tags]`.
        folds: The fold of each photo, int `[photos]`.
        task: Whether tags exclude each other.
        strengths: The values of C.
        tolerance: Of each fit, as in :func:`toolchain.training.logistic.fit`.
    """
    found = [np.zeros(truth.shape) for _ in strengths]
    for fold in np.unique(folds):
        held = folds == fold
        weights = np.zeros(len(truth))
        weights[~held] = logistic.balanced(truth[~held], task=task)
        layer = None
        for result, strength in zip(found, strengths, strict=True):
            # The next C is near, so the last layer is a good start.
            layer = logistic.fit(
                rotated.values,
                truth,
                weights,
                strength,
                task=task,
                start=layer,
                tolerance=tolerance,
            )
            result[held] = rotated.values[held] @ layer[:-1] + layer[-1]
    return [OutOfFold(result, strength) for result, strength in zip(found, strengths, strict=True)]


def right(found: Array, truth: Array, *, task: Task) -> Array:
    """Return which photos are tagged right, bool `[photos]`.

    Args:
        found: Outputs, float `[photos, tags]`.
        truth: Bool `[photos, tags]`.
        task: If tags do not exclude each other, all of them must be right.
    """
    if task == "single-label":
        hits: Array = truth[np.arange(len(truth)), found.argmax(axis=1)]
    else:
        hits = ((found > 0) == truth).all(axis=1)
    return hits


def loss(found: Array, truth: Array, *, task: Task) -> float:
    """Return the mean cross-entropy of outputs in nats a photo.

    Args:
        found: Outputs, float `[photos, tags]`.
        truth: Bool `[photos, tags]`.
        task: Whether tags exclude each other.
    """
    from scipy.special import logsumexp

    if task == "single-label":
        wanted = truth.astype(np.float64)
        return float((logsumexp(found, axis=1) - (found * wanted).sum(axis=1)).mean())
    return float((np.logaddexp(0.0, found) - found * truth).sum(axis=1).mean())
