"""Clipping: the finest useful step of a channel, given the levels that a byte has.

Where steps are fine, the largest weight of a channel limits how fine they can be. Clipping a
few large weights allows a finer step for the rest, but adds a clipping error. The best step
makes the sum of both errors least (Sung et al. 2015, arXiv:1511.06488; Banner et al. 2019,
arXiv:1810.05723).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_FRACTIONS = np.linspace(1.0, 0.3, 29)  # of the step that clips nothing; chosen, not measured


def finest_steps(weights: Array, largest: int) -> Array:
    """Return each channel's step of least squared error, float64 `[channels]`.

    Args:
        weights: `[inputs, channels]`.
        largest: Quantised values are whole numbers within ±`largest`.
    """
    whole = np.abs(weights).max(axis=0).astype(np.float64) / largest
    best: Array = whole.copy()
    least = np.full(whole.shape, np.inf)
    for fraction in _FRACTIONS:
        steps = np.maximum(whole * fraction, np.finfo(np.float64).tiny)
        values = np.clip(np.rint(weights / steps), -largest, largest)
        error = ((weights - values * steps) ** 2).sum(axis=0)
        better = error < least
        best[better], least[better] = steps[better], error[better]
    return best
