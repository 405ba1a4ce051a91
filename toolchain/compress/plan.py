"""What was decided for each tensor, and what it costs: the record that the report shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict


class TensorPlan(BaseModel):
    """One kernel after quantisation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str
    shape: tuple[int, ...]
    bits: float
    """Entropy of its values, in bits for each weight: what an entropy coder needs."""
    bytes: int
    """`bits` for all its weights, and one byte a channel for the steps."""
    low: float
    """The smallest weight before rounding."""
    high: float
    """The largest."""
    zeros: float
    """Share of the weights that are zero after rounding, in 0…1."""
    step: float
    """Geometric mean of the channels' steps."""
    error: float
    """Root mean square of the rounding error over that of the weights."""


class Plan(BaseModel):
    """The whole plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    coarseness: float
    """The one number behind all steps: the error that each is allowed to cause."""
    calibration: str
    """What it was rounded by: `250 photos`, or `64 generated pictures`."""
    judged: str | None
    """What the verdict is of: `256 generated pictures it was not rounded by`, or `62 photos, by
    a plan of the other 188 photos`, whose bits are the same; None: nothing was judged."""
    seed: int
    tensors: tuple[TensorPlan, ...]

    @property
    def bits(self) -> float:
        """Mean bits for each weight."""
        weights = [int(np.prod(tensor.shape)) for tensor in self.tensors]
        total = sum(
            tensor.bits * count for tensor, count in zip(self.tensors, weights, strict=True)
        )
        return total / max(1, sum(weights))


def entropy(values: np.ndarray[Any, Any]) -> float:
    """Return the order-0 entropy of integers, in bits for each; 0 for an empty array."""
    if values.size == 0:
        return 0.0
    # Counting is ten times as fast as sorting, and levels are few.
    counts = np.bincount(values.ravel().astype(np.int64) - int(values.min()))
    shares = counts[counts > 0] / values.size
    return float(-(shares * np.log2(shares)).sum())
