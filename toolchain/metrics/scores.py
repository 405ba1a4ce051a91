"""Turns a network's outputs into the scores that the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from toolchain.records.card import Activation

    Array = np.ndarray[Any, Any]


def scores_of(outputs: Array, activation: Activation) -> Array:
    """Return a network's outputs as scores in 0…1, as the page shows them.

    Args:
        outputs: Float `[n, classes]`.
        activation: What turns outputs into scores; `none` if they are scores already.

    Returns:
        Float64 `[n, classes]`.
    """
    if activation == "softmax":
        return softmax(outputs)
    wide = np.asarray(outputs, np.float64)
    if activation == "sigmoid":
        from scipy.special import expit

        return np.asarray(expit(wide))
    return wide


def softmax(logits: Array) -> Array:
    """Return the softmax of each row in double precision; large logits do not overflow.

    Args:
        logits: Float `[n, classes]`.

    Returns:
        Float64 `[n, classes]`.
    """
    wide = np.asarray(logits, np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares
