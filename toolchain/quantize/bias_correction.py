"""Bias correction: restores the mean of a layer's output, which rounding the weights moves.

Where a layer's inputs do not have a mean of zero, as after a ReLU, the rounding errors of a
channel's weights do not cancel. They shift the output's mean. Nagel et al. 2019
(arXiv:1906.04721, § 4.2) subtract the expected shift from the bias. The means of the inputs
come from calibration inputs, or from BatchNorm's statistics (`statistics.py`), which need no
photos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def shift(exact: Array, expected: Array, rounded: Array, found: Array) -> Array:
    """Return what to add to the bias, float64 `[channels]`.

    Args:
        exact: The float weights, `[inputs, channels]`.
        expected: Mean of the layer's inputs in the float network, `[inputs]`; for a depthwise
            layer `[taps, channels]`.
        rounded: The weights after rounding, `[inputs, channels]`.
        found: Mean of its inputs now that the layers before it are rounded; the same as
            `expected` where the means of their outputs are assumed to be unchanged.
    """
    if expected.ndim == 1:
        result: Array = expected @ exact - found @ rounded
    else:
        result = (expected * exact - found * rounded).sum(axis=0)
    return result
