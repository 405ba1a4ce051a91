"""Magnitude pruning as part of rounding: a dead zone around zero.

Small weights are set to zero (Han et al. 2015, arXiv:1506.02626): those within a dead zone that
is wider than that of plain rounding. That suits an entropy coder and weights that cluster at
zero (Sullivan 1996). The resulting error is compensated by the weights not yet rounded, like any
rounding error (SparseGPT, Frantar & Alistarh 2023, arXiv:2301.00774).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

ROUNDING = 0.5
"""The dead zone of plain rounding, in steps."""


def to_levels(scaled: Array, dead_zone: float) -> Array:
    """Round to whole numbers; values closer to zero than `dead_zone` become zero.

    Args:
        scaled: Weights in units of their step.
        dead_zone: In steps; :data:`ROUNDING` is plain rounding.
    """
    values: Array = np.rint(scaled)
    if dead_zone > ROUNDING:
        values[np.abs(scaled) < dead_zone] = 0
    return values
