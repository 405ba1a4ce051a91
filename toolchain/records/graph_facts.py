"""The size of a classifier's graph: its operations, weights and bytes, counted."""

from __future__ import annotations

from toolchain.records.record import Record


class GraphFacts(Record):
    """The size of the source model's graph, before conversion."""

    parameters: int
    """Number of floating-point weights, BatchNorm's statistics included."""
    multiply_adds: int
    """Multiply-adds of convolutions and matrix products, for one image."""
    file_bytes: int
    """Size of the SavedModel's files."""
    memory_bytes: int
    """Size of the weights in memory while the graph runs."""
    ops: dict[str, int]
    """How often each operation occurs in the inference graph, by name."""
    dtypes: dict[str, int]
    """Number of weight tensors of each dtype."""
