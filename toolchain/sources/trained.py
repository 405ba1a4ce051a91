"""The folder that `toolchain train` writes: a SavedModel, what is declared of it, and its record.

`model.toml` has the keys of a sidecar file and a table `[training]`, which tells where the photos
are that the model was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain import toml
from toolchain.errors import BadInputError
from toolchain.records import card, training

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.records.card import Declared
    from toolchain.records.training import Training

DECLARATIONS = "model.toml"
MODEL = "saved_model"
OUT_OF_FOLD = "out_of_fold.npz"
TABLE = "training"
"""Of `model.toml`; its keys `photos` and `test` are paths, absolute or relative to the folder."""


@dataclass(frozen=True)
class TrainedModel:
    """A model that this tool has trained, and its photos."""

    folder: Path
    declared: Declared
    photos: Path | None
    """The folder of photos that it was trained on; None if it is no longer there."""
    tested: Path | None
    """The folder of photos that it was tested on; None if there was none, or it is gone."""
    record: Training

    @property
    def out_of_fold(self) -> Path:
        """The file of its outputs for the photos, by layers that have not learned from them."""
        return self.folder / OUT_OF_FOLD


def is_one(folder: Path) -> bool:
    """Tell whether a folder is one that `toolchain train` wrote."""
    return (folder / training.FILE).is_file() and (folder / DECLARATIONS).is_file()


def read(folder: Path) -> TrainedModel:
    """Read the folder of a trained model.

    Raises:
        BadInputError: A file is missing, damaged or of another version.
    """
    path = folder / DECLARATIONS
    content = toml.read(path)
    table = content.pop(TABLE, {})
    named = table.get("photos") if isinstance(table, dict) else None
    if not isinstance(named, str):
        raise BadInputError(f"{path} does not tell its photos; train the model again")
    return TrainedModel(
        folder=folder,
        declared=card.declared_in(content, path),
        photos=_folder_at(folder / named),
        tested=_folder_at(folder / tested)
        if isinstance(tested := table.get("test"), str)
        else None,
        record=training.read(folder / training.FILE),
    )


def _folder_at(path: Path) -> Path | None:
    return path.resolve() if path.is_dir() else None
