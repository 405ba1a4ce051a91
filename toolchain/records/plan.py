"""What was decided for each tensor, and what it costs: the record that the report shows."""

from __future__ import annotations

import numpy as np

from toolchain.records.record import Record


class TensorPlan(Record):
    """One kernel after quantisation."""

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


class Plan(Record):
    """The whole plan."""

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
