"""A TF.js graph model on disk: its files and what they hold."""

from __future__ import annotations

from toolchain.records.card import Activation
from toolchain.records.record import Record


class Artifacts(Record):
    """A finished TF.js graph model, every file named after its content."""

    model_json: str
    """Its file name in the folder."""
    shards: tuple[str, ...]
    """File names of the weights, in the manifest's order."""
    weight_bytes: int
    """Of all shards as they are stored, which is compressed where they are packed."""
    activation: Activation
    """What turns the graph's outputs into scores; `none` where they are scores already."""
    tensors: int
    parameters: int
    """Elements of all floating-point weights, as they are left after folding."""
    memory_bytes: int
    """Of all weights once TF.js has decoded them, four bytes an element."""
    ops: dict[str, int]
    dtypes: dict[str, int]
    """Stored weight dtype to number of tensors."""
