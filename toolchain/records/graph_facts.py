"""What the graph of a classifier consists of, counted."""

from __future__ import annotations

from toolchain.records.record import Record


class GraphFacts(Record):
    """The size of a graph before anything is done to it."""

    parameters: int
    """Elements of all floating-point weights, BatchNorm's statistics included."""
    multiply_adds: int
    """Of convolutions and matrix products, for one image."""
    file_bytes: int
    """Of the SavedModel's files."""
    memory_bytes: int
    """Of the weights as they lie in memory while the graph runs."""
    ops: dict[str, int]
    """Operation name to how often it occurs, in the inference graph."""
    dtypes: dict[str, int]
    """Weight dtype to number of tensors."""
