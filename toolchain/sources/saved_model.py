"""SavedModel folders: where one lies, and whether all of it is there.

Nothing here needs TensorFlow, which takes seconds to import and reports half a model
only when it loads it.
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
    """A model that lies on this machine, whole."""

    path: Path
    """The SavedModel folder."""
    sha256: str
    """Of the single file it came as, or of the folder (`digest.of_tree`)."""
    source: str
    """Its canonical handle, or the name of a local file."""
    declared: Declared = field(default_factory=Declared)
    """What the source says of the model."""
    prepared_by: str | None = None
    """Fingerprint of the code that made the SavedModel of that file; None: it came as one."""
    trusted: bool = False
    """Whether the user lets it run code of its author's."""
    range_guess: PixelRange | None = None
    """Which pixel values its source lets expect, for where nothing else says it."""
    range_found: PixelRange | None = None
    """Which pixel values labelled photos have shown to be the best guess."""


def locate(folder: Path, *, shown: str | None = None) -> Path:
    """Return the whole SavedModel in a folder: the folder itself or its only subfolder.

    Archives are packed either way, with the model at the root or in one folder.

    Args:
        folder: Where to look.
        shown: What the user calls it, where that is another place: the archive.

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
            f"{shown or folder} is no whole SavedModel: {wrong}; "
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
        meta_graphs = protobuf.parse(graph).meta_graphs
    except ValueError:
        return f"{GRAPH} is cut off or is something else"
    if not meta_graphs:
        return f"{GRAPH} holds no graph"
    restores = any(each.HasField("saver_def") for each in meta_graphs)
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
