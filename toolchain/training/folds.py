"""Divides photos into folds for cross-validation, with those of a group in one fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

FOLDS = 5
"""Folds, if there are enough groups of each tag."""
_LEAST_TOLD = 20  # photos, of which an accuracy is told. Chosen


def divide(truth: Array, groups: Array, *, folds: int = FOLDS, seed: int = 0) -> Array:
    """Return the fold of each photo, int `[photos]`.

    Groups are placed one after the other, the largest first, each in the fold that keeps the
    tags most evenly divided.

    Args:
        truth: Bool `[photos, tags]`.
        groups: The group of each photo, int `[photos]`, from 0 without gaps.
        folds: How many folds.
        seed: Of the order of equally large groups, and of equally good folds.
    """
    random = np.random.default_rng(seed)
    counts = np.zeros((int(groups.max()) + 1, truth.shape[1]))
    np.add.at(counts, groups, truth.astype(float))
    sizes = np.bincount(groups, minlength=len(counts))
    totals = np.maximum(counts.sum(axis=0), 1)
    order = random.permutation(len(counts))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros((folds, truth.shape[1]))
    photos = np.zeros(folds)
    fold_of = np.zeros(len(counts), int)
    target, share = 1 / folds, len(truth) / folds
    for group in order:
        after = (filled + counts[group]) / totals - target
        # How far each tag would be from its even share, and the fold from its share of photos.
        now = filled / totals - target
        cost = (after**2 - now**2).sum(axis=1)
        cost += ((photos + sizes[group]) / share - 1) ** 2 - (photos / share - 1) ** 2
        best = np.flatnonzero(cost <= cost.min() + 1e-9)
        chosen = int(random.choice(best))
        fold_of[group] = chosen
        filled[chosen] += counts[group]
        photos[chosen] += sizes[group]
    found: Array = fold_of[groups]
    return found


def possible(truth: Array, groups: Array) -> int:
    """Return into how many folds photos can be divided: at most the groups of any tag.

    Args:
        truth: Bool `[photos, tags]`.
        groups: The group of each photo, int `[photos]`.
    """
    least = min(len(np.unique(groups[truth[:, tag]])) for tag in range(truth.shape[1]))
    return max(1, min(FOLDS, least))


def told(division: Array) -> Array:
    """Return indices of photos whose layer has learned from at least half of all photos.

    A layer that learned from a small session says little of the one that learns from all.

    Args:
        division: The fold of each photo, int `[photos]`.
    """
    counts = np.bincount(division)
    fair = 2 * counts <= len(division)
    found: Array = np.flatnonzero(fair[division])
    return found if len(found) >= _LEAST_TOLD else np.arange(len(division))
