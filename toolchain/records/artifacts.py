"""A TF.js graph model on disk: its files and their contents."""

from __future__ import annotations

from toolchain.records.card import Activation
from toolchain.records.record import Record


class Artifacts(Record):
    """A finished TF.js graph model, every file named after the digest of its content."""

    model_json: str
    """File name of the graph."""
    shards: tuple[str, ...]
    """File names of the weights, in the manifest's order."""
    weight_bytes: int
    """Size of all shards as stored; packed shards are compressed."""
    activation: Activation
    """What turns the graph's outputs into scores; `none` if they are scores already."""
    tensors: int
    parameters: int
    """Number of floating-point weights after folding."""
    memory_bytes: int
    """Size of all weights once TF.js has decoded them, four bytes each."""
    ops: dict[str, int]
    dtypes: dict[str, int]
    """Stored weight dtype to number of tensors."""
