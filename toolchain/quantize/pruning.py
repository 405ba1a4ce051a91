"""Magnitude pruning as a part of rounding: a wider zero.

Small weights are set to zero (Han et al. 2015, arXiv:1506.02626), here those within a
dead zone around zero that is wider than rounding's own, as is best for an entropy coder
and weights that gather at zero (Sullivan 1996). What that changes is handed on to the
weights still to come like any rounding error (SparseGPT, Frantar & Alistarh 2023,
arXiv:2301.00774).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

ROUNDING = 0.5
"""The dead zone of plain rounding, in steps."""


def to_levels(scaled: Array, dead_zone: float) -> Array:
    """Round to whole numbers, those closer to zero than `dead_zone` to zero.

    Args:
        scaled: Weights in units of their step.
        dead_zone: In steps; :data:`ROUNDING` prunes nothing more than rounding does.
    """
    values: Array = np.rint(scaled)
    if dead_zone > ROUNDING:
        values[np.abs(scaled) < dead_zone] = 0
    return values
