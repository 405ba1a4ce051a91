"""Undoes in the bias what rounding the weights did to the mean of a layer's output.

Rounding errors of a channel's weights do not cancel over inputs whose mean is not zero, as
those behind a ReLU; Nagel et al. 2019 (arXiv:1906.04721, § 4.2) subtract the expected
shift. The means come from calibration inputs, or from BatchNorm's statistics alone
(`statistics.py`), which is what makes the correction free of data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def shift(exact: Array, expected: Array, rounded: Array, found: Array) -> Array:
    """Return what must be added to the bias, float64 `[channels]`.

    Args:
        exact: The float weights, `[inputs, channels]`.
        expected: Mean of what the layer reads in the float network, `[inputs]`, depthwise
            `[taps, channels]`.
        rounded: The weights after rounding, `[inputs, channels]`.
        found: Mean of what it reads now that the layers before are rounded; the same as
            `expected` where their outputs' means are taken as kept.
    """
    if expected.ndim == 1:
        result: Array = expected @ exact - found @ rounded
    else:
        result = (expected * exact - found * rounded).sum(axis=0)
    return result
