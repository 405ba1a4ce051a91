"""The Pareto front of bytes against accuracy: the record that `toolchain tune` prints."""

from __future__ import annotations

from toolchain.records.record import Record
from toolchain.records.verdict import Verdict


class Point(Record):
    """One way to store the weights: what it takes and what it costs."""

    weights: str
    """`packed` or `stock`; of the converter's `float16` or `uint8`."""
    rounded_by: str | None
    """`188 photos`, or `64 generated pictures`; None for the converter's."""
    bits: float
    """For each weight, aimed at; the converter's are its own."""
    bytes: int
    """Of `model.json` and the weights, after Brotli."""
    drop: float
    """In points, what `auto` goes by: what is expected where photos have labels, else the upper
    end of it."""
    verdict: Verdict


class ParetoFront(Record):
    """The whole result; `toolchain tune --json` prints it."""

    name: str
    source: str
    sha256: str
    """Of the model."""
    blind: bool
    """Whether it was judged by generated pictures, for want of photos."""
    max_drop: float
    max_bytes: int | None
    points: tuple[Point, ...]
    """By their bits."""
    converted: tuple[Point, ...]
    """The converter's `float16` and `uint8`."""
    pareto: tuple[int, ...]
    """Places of the points that no other beats in bytes and in drop."""
    chosen: int | None
    """Place of the point that `auto` would choose of these; None: none keeps the limits."""
