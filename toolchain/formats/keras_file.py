"""Turns a Keras model file into a SavedModel.

Two libraries write these files: Keras 3, and Keras 2, now maintained as `tf_keras`. The file
tells which one wrote it, and is loaded with that one. Loading some layers runs code of the file's
author, so the file is checked before Keras loads it (:mod:`toolchain.formats.keras_code`).
"""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import archive, hdf5, keras_code
from toolchain.formats.format import NOTHING_NAMED, Format, Named
from toolchain.records.card import Declared

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".keras", ".h5", ".hdf5")
_MAX_CONFIG = 64 << 20  # bytes of JSON; chosen: the largest real ones have a few hundred KiB
_FAULTS = (
    *(OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, EOFError),
    *(zipfile.BadZipFile, zlib.error, MemoryError, ArithmeticError),
)


@dataclass(frozen=True)
class _Header:
    version: str
    config: Any


def foreign_code(path: Path) -> str | None:
    """Return the name of a part that runs code of the file's author when it is loaded, or None.

    Raises:
        BadInputError: The file is not a Keras model, or holds only weights.
    """
    found = keras_code.foreign(_read_header(path).config)
    return None if found is None else found.named


def export(
    path: Path, saved_model: Path, *, trusted: bool = False, named: Named = NOTHING_NAMED
) -> Declared:
    """Load a Keras model file and write its inference as a SavedModel.

    Args:
        path: A `.keras` archive, or an HDF5 file with the whole model.
        saved_model: The folder to write; it must not exist.
        trusted: Whether the file may run code of its author.
        named: Not used: the signature is made here, and its parts are found later.

    Returns:
        Nothing declared: the graph tells all that such a file knows.

    Raises:
        BadInputError: The file is not a Keras model, holds only weights, would run code of its
            author, names other files, or unpacks to far more than its size.
    """
    del named
    header = _read_header(path)
    if not trusted and (found := keras_code.foreign(header.config)):
        raise BadInputError(keras_code.refusal(path, found, header.version))
    if fault := content_fault(path):
        raise BadInputError(f"{path} is not loaded: {fault}; save the model again with Keras")
    try:
        with tensorflow.quiet():
            _export(path, saved_model, header.version, trusted=trusted)
    except Exception as error:
        # Keras passes on any error of its layers; for the user all mean that it cannot be loaded.
        raise BadInputError(
            keras_code.loading_fault(path, error, header.config, header.version)
        ) from error
    return Declared()


def _export(path: Path, saved_model: Path, version: str, *, trusted: bool) -> None:
    """Write only the model's inference; `model.export` would include augmentation and dropout."""
    tf = tensorflow.load()
    library, package = tf.keras, "keras"
    if not version.startswith("3."):
        with tensorflow.importing():
            import tf_keras

        library, package = tf_keras, "tf_keras"
    known = keras_code.custom_objects(package, trusted=trusted)
    model = library.models.load_model(path, known, compile=False, safe_mode=not trusted)
    write(library, model, saved_model)


def write(library: Any, model: Any, saved_model: Path) -> None:
    """Write the inference of a loaded Keras model as a SavedModel.

    Args:
        library: The module of the Keras that loaded it: Keras 3 or `tf_keras`.
        model: The model.
        saved_model: The folder to write; it must not exist.
    """
    tf = tensorflow.load()

    def serve(*tensors: Any) -> Any:
        return model(tensors[0] if len(tensors) == 1 else list(tensors), training=False)

    # Gradients are not needed, because the result is not trained, and some cannot be saved.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)

    def write(batch: int | None) -> None:
        archive = library.export.ExportArchive()
        archive.track(model)
        specs = [
            tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype, str(tensor.name).split(":")[0])
            for tensor in model.inputs
        ]
        archive.add_endpoint("serving_default", serve, input_signature=specs)
        archive.write_out(str(saved_model), options=options)

    fixed = model.inputs[0].shape[0]
    try:
        write(None)
    except Exception:
        # A model made for one batch size may use it in a reshape.
        if fixed is None:
            raise
        write(fixed)


def content_fault(path: Path) -> str | None:
    """Return what is wrong with the content of a Keras file, as one clause, or None."""
    size = path.stat().st_size
    try:
        if not zipfile.is_zipfile(path):
            return hdf5.fault(path, size)
        with zipfile.ZipFile(path) as packed:
            if fault := archive.zip_fault(packed, size):
                return fault
            for entry in packed.infolist():
                if entry.filename.endswith(".h5"):
                    # Unpacked first: HDF5 seeks a lot, which is slow in compressed data.
                    with packed.open(entry) as weights, TemporaryFile() as unpacked:
                        shutil.copyfileobj(weights, unpacked)
                        if fault := hdf5.fault(unpacked, entry.file_size):
                            return f"its {entry.filename}: {fault}"
    except _FAULTS as error:
        return _first_line(error)
    return None


def _read_header(path: Path) -> _Header:
    try:
        if zipfile.is_zipfile(path):
            return _read_archive(path)
        return _read_hdf5(path)
    except _FAULTS as error:
        raise BadInputError(
            f"{path} is not a Keras model file ({_first_line(error)}); "
            "save the whole model with `model.save('model.keras')`"
        ) from error


def _read_archive(path: Path) -> _Header:
    with zipfile.ZipFile(path) as archive:

        def read(name: str) -> Any:
            if archive.getinfo(name).file_size > _MAX_CONFIG:
                raise ValueError(f"its {name} is too large")
            return json.loads(archive.read(name))

        return _Header(str(read("metadata.json")["keras_version"]), read("config.json"))


def _read_hdf5(path: Path) -> _Header:
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ValueError("it holds weights without a model")
        config = file.attrs["model_config"]
        version = file.attrs.get("keras_version", "2")
    return _Header(_text(version), json.loads(_text(config)))


def _text(value: Any) -> str:
    """Return an HDF5 attribute as text; older writers stored bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


FORMAT = Format(
    named="Keras files",
    suffixes=SUFFIXES,
    recognises=lambda path: path.is_file() and path.name.endswith(SUFFIXES),
    read=export,
    foreign_code=foreign_code,
)
