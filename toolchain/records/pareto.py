"""The Pareto front of bytes against drop: the record that `toolchain tune` prints."""

from __future__ import annotations

from toolchain.records.record import Record
from toolchain.records.verdict import Verdict


class Point(Record):
    """One way to store the weights: its size and its drop."""

    weights: str
    """`packed` or `stock`; for weights that the converter stored, `float16` or `uint8`."""
    rounded_by: str | None
    """What was used for calibration: `188 photos`, or `64 generated pictures`; None for the
    converter's."""
    bits: float
    """The target in bits a weight; for the converter's, the bits that it uses."""
    bytes: int
    """Size of `model.json` and the weights, compressed with Brotli."""
    drop: float
    """The drop that `auto` decides by, in points: the expected drop if photos have labels, else
    the upper end of its interval."""
    verdict: Verdict


class ParetoFront(Record):
    """The whole result; `toolchain tune --json` prints it."""

    name: str
    source: str
    sha256: str
    """Digest of the source model."""
    blind: bool
    """Whether generated pictures were used, because no photos were given."""
    max_drop: float
    max_bytes: int | None
    points: tuple[Point, ...]
    """Sorted by bits."""
    converted: tuple[Point, ...]
    """The weights as the converter stores them: `float16` and `uint8`."""
    pareto: tuple[int, ...]
    """Indices of the points that no other point beats in both bytes and drop."""
    chosen: int | None
    """Index of the point that `auto` would choose; None if no point keeps the limits."""
