"""The plan: how each tensor was quantised, and what that costs. The report shows this record."""

from __future__ import annotations

import numpy as np

from toolchain.records.record import Record


class TensorPlan(Record):
    """One kernel after quantisation."""

    name: str
    kind: str
    shape: tuple[int, ...]
    bits: float
    """Entropy of the rounded weights: what an ideal coder needs, in bits a weight."""
    bytes: int
    """`bits` for each weight, as bytes, plus one byte a channel for the step sizes."""
    low: float
    """The smallest weight before rounding."""
    high: float
    """The largest weight before rounding."""
    zeros: float
    """Share of the weights that are zero after rounding, in 0…1."""
    step: float
    """Geometric mean of the channels' step sizes."""
    error: float
    """Root mean square of the rounding errors, divided by that of the weights."""


class Plan(Record):
    """The whole plan."""

    recipe: str
    coarseness: float
    """The one number that all step sizes follow from: the error that each may cause."""
    calibration: str
    """What was used for calibration: `250 photos`, or `64 generated pictures`."""
    judged: str | None
    """What the verdict is based on: `256 generated pictures it was not rounded by`; or `62 photos,
    by a plan of the other 188 photos`, which has the same bits. None if there is no verdict."""
    seed: int
    tensors: tuple[TensorPlan, ...]

    @property
    def bits(self) -> float:
        """Mean bits a weight over all tensors."""
        weights = [int(np.prod(tensor.shape)) for tensor in self.tensors]
        total = sum(
            tensor.bits * count for tensor, count in zip(self.tensors, weights, strict=True)
        )
        return total / max(1, sum(weights))
