"""The step that keeps most of a channel within the levels that a byte has.

Where steps are fine, the range of a channel and not its entropy decides how fine they may
be. A few large weights then need not decide for all: clipping them costs an error of its
own, and the best step is where both errors together are least (Sung et al. 2015,
arXiv:1511.06488; Banner et al. 2019, arXiv:1810.05723).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_FRACTIONS = np.linspace(1.0, 0.3, 29)  # of the step at which nothing is clipped


def finest_steps(weights: Array, largest: int) -> Array:
    """Return for each channel the step of least squared error, float64 `[channels]`.

    Args:
        weights: `[inputs, channels]`.
        largest: Values may be whole numbers within ±`largest`.
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
