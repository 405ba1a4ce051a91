"""SavedModel folders: where one lies, and whether all of it is there.

Nothing here needs TensorFlow, which takes seconds to import and reports half a model
only when it loads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolchain.card import Declared
from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRAPH = "saved_model.pb"
_VARIABLES = "variables"
_INDEX = "variables.index"
_SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})")

# Field numbers of TensorFlow's SavedModel and MetaGraphDef messages, and protobuf's
# ways to write a field; none of them can change without breaking every saved model.
_META_GRAPHS = 2
_SAVER = 3
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Fetched:
    """A model that lies on this machine, whole."""

    path: Path
    """The SavedModel folder."""
    sha256: str
    """Of the single file it came as, or of the folder (`digest.of_tree`)."""
    source: str
    """Its canonical handle, or the name of a local file."""
    declared: Declared = field(default_factory=Declared)
    """What the source says of the model."""


def locate(folder: Path) -> Path:
    """Return the whole SavedModel in a folder: the folder itself or its only subfolder.

    Archives are packed either way, with the model at the root or in one folder.

    Raises:
        BadInputError: There is none, or a part of it is missing.
    """
    found = folder
    if not (folder / GRAPH).is_file():
        inner = [path.parent for path in folder.glob(f"*/{GRAPH}")]
        if len(inner) == 1:
            found = inner[0]
    if (wrong := fault(found)) is not None:
        raise BadInputError(
            f"{folder} is no whole SavedModel: {wrong}; "
            "give the folder that tf.saved_model.save wrote, with all its files"
        )
    return found


def fault(folder: Path) -> str | None:
    """Return what is wrong with a SavedModel folder as one clause, None when it is whole."""
    try:
        graph = (folder / GRAPH).read_bytes()
    except OSError:
        return f"{GRAPH} is missing"
    try:
        meta_graphs = [body for number, body in _fields(graph) if number == _META_GRAPHS]
        restores = any(number == _SAVER for body in meta_graphs for number, _ in _fields(body))
    except ValueError:
        return f"{GRAPH} is cut off or is something else"
    if not meta_graphs:
        return f"{GRAPH} holds no graph"
    return _variables_fault(folder / _VARIABLES, restores=restores)


def _variables_fault(folder: Path, *, restores: bool) -> str | None:
    """Return what is missing of the weights.

    Frozen models keep theirs in the graph: they have no saver and no variables, though
    often an empty folder for them.
    """
    sizes = {path.name: path.stat().st_size for path in folder.glob("*") if path.is_file()}
    if not sizes and not restores:
        return None
    if not sizes.get(_INDEX):
        return f"{_VARIABLES}/{_INDEX} is missing"
    shards = [match for name in sizes if (match := _SHARD.fullmatch(name))]
    counts = {int(match.group(1)) for match in shards}
    if len(counts) != 1 or counts != {len(shards)}:
        return f"a {_VARIABLES}/variables.data file is missing"
    return None


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and raw value of each field of a protobuf message.

    Raises:
        ValueError: The bytes end within a field or are no message.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            start = at
            _, end = _varint(message, at)
        elif kind == _LENGTH:
            size, start = _varint(message, at)
            end = start + size
        elif kind in (_FIXED64, _FIXED32):
            start, end = at, at + (8 if kind == _FIXED64 else 4)
        else:
            raise ValueError(f"unknown kind of field: {kind}")
        if end > len(message) or tag >> 3 == 0:
            raise ValueError("the message is cut off")
        yield tag >> 3, message[start:end]
        at = end


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more bytes follow
            return value, at
    raise ValueError("the message is cut off")
