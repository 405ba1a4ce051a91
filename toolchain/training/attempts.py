"""Judges what was tried beyond a new last layer: it counts only if it wins out of fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.metrics.intervals import newcombe
from toolchain.records.training import Attempt
from toolchain.training.figures import share

if TYPE_CHECKING:
    import numpy as np

    from toolchain.records.training import Method

    Array = np.ndarray[Any, Any]


def judge(
    method: Method,
    detail: str,
    before: Array,
    after: Array,
    sizes: tuple[int, int],
    seconds: float,
    *,
    rival: str,
) -> Attempt:
    """Compare an attempt with what is there without it, on the same photos.

    Args:
        method: What was tried.
        detail: What was done, as a clause.
        before: Which photos are tagged right without it, bool `[photos]`.
        after: Which are tagged right with it.
        sizes: Expected bytes of the built model, without it and with it.
        seconds: What it took.
        rival: What it is compared with, as in "the layer alone".

    Returns:
        The attempt, accepted if its gain is above zero with 95 % probability.
    """
    both, first = int((before & after).sum()), int((after & ~before).sum())
    second = int((before & ~after).sum())
    low, high = newcombe(both, first, second, len(before) - both - first - second)
    gain = float(after.mean() - before.mean())
    accepted = low > 0
    words = "tags more photos right" if gain > 0 else "does not tag more photos right"
    certain = "" if accepted or gain <= 0 else ", but not more than chance could explain"
    return Attempt(
        method=method,
        detail=detail,
        before=share(int(before.sum()), len(before)),
        after=share(int(after.sum()), len(after)),
        gain_points=100 * gain,
        gain_low=100 * low,
        gain_high=100 * high,
        bytes_before=sizes[0],
        bytes_after=sizes[1],
        seconds=seconds,
        accepted=accepted,
        reason=f"It {words} than {rival}{certain}.",
    )
