"""Shares of photos with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.metrics.intervals import wilson
from toolchain.records.verdict import Share

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def share_of(hits: Array) -> Share:
    """Return the share of hits with its 95 % interval (Wilson 1927).

    Args:
        hits: Bool `[photos]`, at least one photo.
    """
    count, total = int(hits.sum()), len(hits)
    low, high = wilson(count, total)
    return Share(hits=count, of=total, value=count / total, low=low, high=high)
