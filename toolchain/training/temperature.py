"""Makes scores mean what they say: one temperature, from out-of-fold outputs.

C. Guo et al., "On calibration of modern neural networks", ICML 2017 (arXiv:1706.04599).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.training.cross_validation import loss

if TYPE_CHECKING:
    from toolchain.records.card import Task

    Array = np.ndarray[Any, Any]

_LIMITS = (0.05, 20.0)
BINS = 10
"""Bins of the expected calibration error."""


def find(outputs: Array, truth: Array, *, task: Task) -> float:
    """Return what to divide outputs by, so that the scores are the likeliest.

    Args:
        outputs: Out of fold, float `[photos, tags]`.
        truth: Bool `[photos, tags]`.
        task: Whether tags exclude each other.
    """
    from scipy.optimize import minimize_scalar

    def at(logarithm: float) -> float:
        return loss(outputs / np.exp(logarithm), truth, task=task)

    low, high = np.log(_LIMITS)
    found = minimize_scalar(at, bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def bins(scores: Array, right: Array) -> list[tuple[float, float, int, float, float]]:
    """Return photos by their first score, in ten bins of equal width.

    Args:
        scores: Of each photo's first tag, float `[photos]` in 0…1.
        right: Whether that tag is right, bool `[photos]`.

    Returns:
        For each bin that is not empty: its limits, the number of photos, their mean score and the
        share that is right.
    """
    places = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        (
            place / BINS,
            (place + 1) / BINS,
            int((places == place).sum()),
            float(scores[places == place].mean()),
            float(right[places == place].mean()),
        )
        for place in range(BINS)
        if (places == place).any()
    ]


def calibration_error(scores: Array, right: Array) -> float:
    """Return the expected calibration error in points (Naeini et al. 2015, ten bins).

    Args:
        scores: Of each photo's first tag, float `[photos]` in 0…1.
        right: Whether that tag is right, bool `[photos]`.
    """
    return 100 * sum(
        count / len(scores) * abs(score - share)
        for _, _, count, score, share in bins(scores, right)
    )
