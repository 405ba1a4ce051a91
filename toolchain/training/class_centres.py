"""Learns when a photo shows none of the tags: when it is far from every tag's centre.

A threshold on the highest score does not tell: half of all foreign photos get a high one. The
direction of the features does. A tag's centre is the mean of its photos' features, turned a little
away from the directions in which photos of one tag differ from each other, as in linear
discriminant analysis with strong shrinkage. A photo is none of these if its cosine to every centre
is below what 95 % of the user's own photos have out of fold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.records import none_of_these

if TYPE_CHECKING:
    from toolchain.records.none_of_these import NoneOfThese

    Array = np.ndarray[Any, Any]

KEPT = 0.95
"""Share of the user's own photos that stay above the threshold."""
# Of features: those with the largest values in the centres. On three photo sets 160 of 1,280 let
# through as many foreign photos as all of them.
_MOST = 160
# How strongly the spread within tags counts: its covariance is added to this many times its mean
# variance. With 10, 4.4, 2.4 and 10.6 % of foreign photos pass at three depths of EfficientNet-
# Lite0 on the flowers of docs/train.md; without it 3.8, 3.8 and 13.4 %.
_SHRINKAGE = 10.0
_COORDINATES = 1 << 16  # an index has two bytes


def learn(features: Array, truth: Array, threshold: float = -1.0) -> NoneOfThese:
    """Return the rule with the centres of these photos.

    Args:
        features: float32 `[photos, width]`.
        truth: Bool `[photos, tags]`; each tag has photos.
        threshold: The cosine below which a photo is none of these.
    """
    width = min(features.shape[1], _COORDINATES)
    features = features[:, :width]
    means = np.array([features[has].mean(axis=0, dtype=np.float64) for has in truth.T])
    energy = (means**2).mean(axis=0)
    coordinates = np.sort(np.argsort(-energy, kind="stable")[:_MOST])
    few, means = features[:, coordinates].astype(np.float64), means[:, coordinates]
    within = np.zeros((len(coordinates), len(coordinates)))
    count = 0
    for mean, has in zip(means, truth.T, strict=True):
        rest = few[has] - mean
        within += rest.T @ rest
        count += len(rest)
    within /= max(count, 1)
    shrunk = within + np.eye(len(within)) * max(np.trace(within) / len(within), 1e-12) * _SHRINKAGE
    turned = np.linalg.solve(shrunk, means.T).T
    return none_of_these.make(turned, coordinates, threshold)


def out_of_fold(features: Array, truth: Array, folds: Array) -> Array:
    """Return each photo's cosine to the nearest centre of the other folds, float64 `[photos]`.

    Args:
        features: float32 `[photos, width]`.
        truth: Bool `[photos, tags]`.
        folds: The fold of each photo, int `[photos]`.
    """
    found = np.zeros(len(features))
    for fold in np.unique(folds):
        held = folds == fold
        has = truth[~held].any(axis=0)
        rule = learn(features[~held], truth[~held][:, has])
        found[held] = rule.greatest_cosines(features[held])
    return found


def threshold(own: Array, foreign: Array | None) -> float:
    """Return the cosine below which a photo is none of these.

    Args:
        own: Of the user's photos out of fold, `[photos]`.
        foreign: Of photos of none of the tags, `[photos]`; None if there are none. With them, the
            threshold is the one that errs least on both, each with equal weight, but keeps at
            least 90 % of the user's own photos.
    """
    least = float(np.quantile(own, 1 - KEPT))
    if foreign is None or not len(foreign):
        return least
    highest = float(np.quantile(own, 2 * (1 - KEPT)))
    candidates = np.unique(np.clip(np.concatenate([own, foreign, [least]]), least, highest))
    errors = [(own < each).mean() + (foreign >= each).mean() for each in candidates]
    return float(candidates[int(np.argmin(errors))])
