"""Reads what Teachable Machine exports: TF.js, Keras or a SavedModel, each with its labels.

Its library cuts the largest centred square out of a photo, scales it to the model's size, and
feeds -1…1 (`@teachablemachine/image`; the Python code that its export page shows does the same).
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from toolchain.errors import BadInputError
from toolchain.formats import keras_file, tfjs_files, tfjs_model
from toolchain.formats.format import NOTHING_NAMED, Format, Named
from toolchain.labels import reading as label_file
from toolchain.records.card import Declared, first_fault

if TYPE_CHECKING:
    from pathlib import Path

_METADATA, _LABELS = "metadata.json", "labels.txt"
_KERAS, _SAVED_MODEL = "keras_model.h5", "model.savedmodel"
_MAX_METADATA = 16 << 20  # bytes; chosen
_PREPROCESSING = Declared(value_range=(-1.0, 1.0), crop_fraction=1.0)


def export(
    path: Path, saved_model: Path, *, trusted: bool = False, named: Named = NOTHING_NAMED
) -> Declared:
    """Write an export of Teachable Machine as a SavedModel.

    Args:
        path: The folder of the export, or the `keras_model.h5` in it.
        saved_model: The folder to write; it must not exist.
        trusted: Whether a file may run code of its author.
        named: The input and output of a TF.js graph that the user names.

    Returns:
        The labels, the size if the export tells it, the pixel range and the crop.

    Raises:
        BadInputError: A file is missing or damaged.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and (folder / _METADATA).is_file():
        tfjs_model.export(folder, saved_model, trusted=trusted, named=named)
        return _declared_in(folder / _METADATA)
    found = label_file.read(folder / _LABELS)
    if (folder / _KERAS).is_file():
        keras_file.export(folder / _KERAS, saved_model, trusted=trusted)
    else:
        shutil.copytree(folder / _SAVED_MODEL, saved_model)
    return Declared(labels=found.names, label_notes=found.notes or None).over(_PREPROCESSING)


def _declared_in(path: Path) -> Declared:
    """Return what the `metadata.json` of a TF.js export tells.

    Raises:
        BadInputError: It cannot be read.
    """
    content = _json(path)
    try:
        side = content.get("imageSize")
        return Declared(
            name=content.get("modelName"),
            labels=tuple(content["labels"]),
            height=side,
            width=side,
        ).over(_PREPROCESSING)
    except (KeyError, TypeError, ValidationError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else "it has no labels"
        raise BadInputError(
            f"{path} is not that of Teachable Machine: {reason}; export the model again"
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_METADATA:
            raise BadInputError(f"{path} is too large for the metadata of Teachable Machine")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} cannot be read as JSON; export the model again") from error
    if not isinstance(content, dict):
        raise BadInputError(f"{path} is not that of Teachable Machine; export the model again")
    return content


def _is_one(path: Path) -> bool:
    folder = path if path.is_dir() else path.parent
    has_labels = (folder / _LABELS).is_file()
    if path.is_file():
        return path.name == _KERAS and has_labels
    if (folder / tfjs_files.NAME).is_file() and (folder / _METADATA).is_file():
        return True
    return has_labels and ((folder / _KERAS).is_file() or (folder / _SAVED_MODEL).is_dir())


FORMAT = Format(
    named="Teachable Machine exports",
    suffixes=(),
    recognises=_is_one,
    read=export,
    companions=lambda path: () if path.is_dir() else (path.parent / _LABELS,),
)
