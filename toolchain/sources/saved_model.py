"""Finds a SavedModel in a folder, and checks that it is complete.

It does so without TensorFlow, which takes seconds to import and notices missing files only when
it loads a model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.records.card import Declared, PixelRange
from toolchain.sources import protobuf

if TYPE_CHECKING:
    from pathlib import Path

GRAPH = "saved_model.pb"
_VARIABLES = "variables"
_INDEX = "variables.index"
_SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})")


@dataclass(frozen=True)
class Fetched:
    """A complete model on this machine."""

    path: Path
    """The SavedModel folder."""
    sha256: str
    """Digest of the model's file, or of its folder (`digest.of_tree`)."""
    source: str
    """Its canonical handle, or the name of a local file."""
    declared: Declared = field(default_factory=Declared)
    """What the source declares about the model."""
    prepared_by: str | None = None
    """Fingerprint of the code that made the SavedModel; None if the source is a SavedModel."""
    trusted: bool = False
    """Whether the user allows it to run code of its author."""
    range_guess: PixelRange | None = None
    """The range that is usual for its source, used if nothing else tells the range."""
    range_found: PixelRange | None = None
    """The range that gave the best results on labelled photos."""
    trained: Path | None = None
    """The folder that `toolchain train` wrote, if the model is one of those."""


def locate(folder: Path, *, shown: str | None = None) -> Path:
    """Return the SavedModel in a folder: the folder itself, or its only subfolder with a model.

    Archives may have the model at the root or in a folder.

    Args:
        folder: Where to look.
        shown: How messages name it, such as the path of the archive; None for `folder`.

    Raises:
        BadInputError: There is no SavedModel, or a part of it is missing.
    """
    found = folder
    if not (folder / GRAPH).is_file():
        inner = [path.parent for path in folder.glob(f"*/{GRAPH}")]
        if len(inner) == 1:
            found = inner[0]
    if (wrong := fault(found)) is not None:
        raise BadInputError(
            f"{shown or folder} is not a whole SavedModel: {wrong}; "
            "give the folder that tf.saved_model.save wrote, with all its files"
        )
    return found


def fault(folder: Path) -> str | None:
    """Return what is wrong with a SavedModel folder as one clause; None if it is complete."""
    try:
        graph = (folder / GRAPH).read_bytes()
    except OSError:
        return f"{GRAPH} is missing"
    try:
        meta_graphs = protobuf.parse(graph).meta_graphs
    except ValueError:
        return f"{GRAPH} is cut off or is something else"
    if not meta_graphs:
        return f"{GRAPH} holds no graph"
    restores = any(each.HasField("saver_def") for each in meta_graphs)
    return _variables_fault(folder / _VARIABLES, restores=restores)


def _variables_fault(folder: Path, *, restores: bool) -> str | None:
    """Return what is missing of the weights as one clause, or None.

    Frozen models hold their weights in the graph. They have no saver and no variables, but often
    an empty folder for variables.
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
