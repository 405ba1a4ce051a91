"""Splits weights into files, named as by TF.js' converter."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SHARD_BYTES = 4 << 20
"""The default for the largest size of one file of weights: that of TF.js' converter."""


def write_shards(folder: Path, group: int, data: bytes, shard_bytes: int) -> list[str]:
    """Write the weights of one group and return the names of the files, in order.

    Args:
        folder: The folder to write to.
        group: The group's number in the manifest, from 1.
        data: All its weights; if empty, one empty file is written.
        shard_bytes: The largest size of one file.
    """
    cuts = [*range(0, max(len(data), 1), shard_bytes), len(data)]
    names = []
    for index, (start, end) in enumerate(pairwise(cuts), 1):
        names.append(f"group{group}-shard{index}of{len(cuts) - 1}.bin")
        (folder / names[-1]).write_bytes(data[start:end])
    return names
