"""How accuracy grows with the photos, and for which tags more would help most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.records.training import LearningPoint
from toolchain.training import cross_validation, logistic
from toolchain.training.figures import share

if TYPE_CHECKING:
    from toolchain.records.training import Accuracy
    from toolchain.training.logistic import Rotated
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

_PARTS = (0.125, 0.25, 0.5, 1.0)
_GAIN = 0.01  # in accuracy by the last doubling, from which more photos would help; chosen
_NAMED = 3  # tags


def draw(
    rotated: Rotated,
    photos: PhotoSet,
    folds: Array,
    strength: float,
    seed: int,
) -> tuple[LearningPoint, ...]:
    """Return the accuracy out of fold with an eighth, a quarter, half and all of the photos.

    Args:
        rotated: The features of the chosen cut.
        photos: The photos and their tags.
        folds: The fold of each photo, int `[photos]`.
        strength: The C of the chosen cut.
        seed: Of the photos that are left out.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(folds))
    found = []
    for part in _PARTS:
        right = np.zeros(len(folds), bool)
        used = []
        for fold in np.unique(folds):
            held = folds == fold
            kept = _some(order, ~held, photos.truth, part)
            if not photos.truth[kept].any(axis=0).all():
                break
            weights = np.zeros(len(folds))
            weights[kept] = logistic.balanced(photos.truth[kept], task=photos.task)
            layer = logistic.fit(rotated.values, photos.truth, weights, strength, task=photos.task)
            outputs = rotated.values[held] @ layer[:-1] + layer[-1]
            right[held] = cross_validation.right(outputs, photos.truth[held], task=photos.task)
            used.append(len(kept))
        else:
            found.append(
                LearningPoint(
                    photos=round(float(np.mean(used))),
                    accuracy=share(int(right.sum()), len(right)),
                )
            )
    return tuple(found)


def _some(order: Array, allowed: Array, truth: Array, part: float) -> Array:
    """Return a part of each tag's allowed photos, at least one, as indices."""
    kept: list[int] = []
    for tag in range(truth.shape[1]):
        its = order[(truth[:, tag] & allowed)[order]]
        kept += its[: max(1, round(part * len(its)))].tolist()
    return np.array(sorted(set(kept)))


def more_photos(curve: tuple[LearningPoint, ...], judged: Accuracy) -> tuple[str, ...]:
    """Return the tags for which more photos would help most; none if the curve is flat."""
    if len(curve) < 2:  # noqa: PLR2004
        weak = sorted(judged.tags, key=lambda each: each.photos)
        return tuple(each.tag for each in weak[:_NAMED])
    if curve[-1].accuracy.value - curve[-2].accuracy.value < _GAIN:
        return ()
    by_recall = sorted(
        (each.recall.value, each.photos, each.tag) for each in judged.tags if each.recall
    )
    return tuple(tag for recall, _, tag in by_recall[:_NAMED] if recall < 1)
