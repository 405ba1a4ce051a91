"""Reads what Teachable Machine exports: TF.js, Keras, a SavedModel or TFLite, each with labels.

Its library cuts the largest centred square out of a photo and scales it to the model's size. It
divides the pixels by 127 and subtracts 1, so that 255 becomes 1.0079 (`capture` in
`@teachablemachine/image`). The Python code that its export page shows divides by 127.5.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from toolchain.errors import BadInputError
from toolchain.formats import keras_file, tfjs_files, tfjs_model, tflite_model
from toolchain.formats.format import NOTHING_NAMED, Format, Named
from toolchain.labels import reading as label_file
from toolchain.records.card import Declared, first_fault

if TYPE_CHECKING:
    from pathlib import Path

_METADATA, _LABELS = "metadata.json", "labels.txt"
_KERAS, _SAVED_MODEL = "keras_model.h5", "model.savedmodel"
_FLOAT_LITE, _INTEGER_LITE = "model_unquant.tflite", "model.tflite"
_MAX_METADATA = 16 << 20  # bytes; chosen
_PREPROCESSING = Declared(value_range=(-1.0, 1.0), crop_fraction=1.0)
_IN_TFJS = Declared(value_range=(-1.0, 255 / 127 - 1), crop_fraction=1.0)
_UNNAMED = "tm-my-image-model"  # the name that every export has
_PACKAGE = "@teachablemachine/"
_IMAGES = "@teachablemachine/image"


def export(
    path: Path, saved_model: Path, *, trusted: bool = False, named: Named = NOTHING_NAMED
) -> Declared:
    """Write an export of Teachable Machine as a SavedModel.

    Args:
        path: The folder of the export, or the `keras_model.h5`, `model.json`,
            `model_unquant.tflite` or `model.tflite` in it.
        saved_model: The folder to write; it must not exist.
        trusted: Whether a file may run code of its author.
        named: The input and output of a TF.js graph or TFLite file that the user names.

    Returns:
        The labels, the size if the export tells it, the pixel range and the crop.

    Raises:
        BadInputError: A file is missing or damaged.
    """
    folder = path if path.is_dir() else path.parent
    if _is_tfjs(path):
        declared = _declared_in(folder / _METADATA)
        tfjs_model.export(folder, saved_model, trusted=trusted, named=named)
        return declared
    found = label_file.read(folder / _LABELS)
    told = _PREPROCESSING
    if lite := _lite(path):
        own = tflite_model.export(lite, saved_model, trusted=trusted, named=named)
        # Others call their files `model.tflite` too; its integers tell its range, if it has some.
        told = own.over(told if lite.name == _FLOAT_LITE else Declared(crop_fraction=1.0))
    elif (folder / _KERAS).is_file():
        keras_file.export(folder / _KERAS, saved_model, trusted=trusted)
    else:
        shutil.copytree(folder / _SAVED_MODEL, saved_model)
    return Declared(labels=found.names, label_notes=found.notes or None).over(told)


def _lite(path: Path) -> Path | None:
    """Return the TFLite file of an export; None if it is of another kind."""
    if path.is_file():
        return path if path.name in (_FLOAT_LITE, _INTEGER_LITE) else None
    if (path / _KERAS).is_file() or (path / _SAVED_MODEL).is_dir():
        return None
    files = (path / name for name in (_FLOAT_LITE, _INTEGER_LITE))
    return next((each for each in files if each.is_file()), None)


def _declared_in(path: Path) -> Declared:
    """Return what the `metadata.json` of a TF.js export tells.

    Raises:
        BadInputError: It cannot be read.
    """
    content = _json(path)
    package = content.get("packageName", _IMAGES)
    if package != _IMAGES:
        raise BadInputError(
            f"{path} belongs to a model of Teachable Machine that is not for images; train an "
            "image project there"
        )
    try:
        side = content.get("imageSize")
        return Declared(
            name=None if (name := content.get("modelName")) == _UNNAMED else name,
            labels=tuple(content["labels"]),
            height=side,
            width=side,
        ).over(_IN_TFJS)
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
    if _is_tfjs(path):
        return True
    if not has_labels:
        return False
    if path.is_file():
        return path.name == _KERAS or _lite(path) is not None
    has_model = (folder / _KERAS).is_file() or (folder / _SAVED_MODEL).is_dir()
    return has_model or _lite(folder) is not None


def is_metadata(path: Path) -> bool:
    """Tell whether a file is a `metadata.json` of Teachable Machine; other tools write some too."""
    try:
        content = _json(path)
    except BadInputError:
        return False
    package = content.get("packageName")
    ours = isinstance(package, str) and package.startswith(_PACKAGE)
    return ours or "tmVersion" in content


def _is_tfjs(path: Path) -> bool:
    """Tell whether a path is an export for TF.js: its folder, or the `model.json` in it."""
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.name != tfjs_files.NAME:
        return False
    return (folder / tfjs_files.NAME).is_file() and is_metadata(folder / _METADATA)


def _companions(path: Path) -> tuple[Path, ...]:
    if path.is_dir():
        return ()
    if _is_tfjs(path):
        return (*tfjs_files.files(path), path.with_name(_METADATA))
    return (path.with_name(_LABELS),)


def foreign_code(path: Path) -> str | None:
    """Return the name of a part that runs code of the file's author when it is loaded, or None.

    Raises:
        BadInputError: A file cannot be read.
    """
    if _is_tfjs(path):
        return tfjs_model.foreign_code(path)
    if _lite(path):
        return None
    file = path / _KERAS if path.is_dir() else path
    return keras_file.foreign_code(file) if file.is_file() else None


FORMAT = Format(
    named="Teachable Machine exports",
    suffixes=(),
    recognises=_is_one,
    read=export,
    companions=_companions,
    foreign_code=foreign_code,
)
