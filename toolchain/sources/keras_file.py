"""Turns a Keras model file into a SavedModel.

Two libraries write these files: Keras 3, and Keras 2, kept alive as `tf_keras`. The file
says which, and is loaded with that one. Some layers run what the file's author chose
while the model is loaded: Lambda holds marshalled Python code, and Keras 2's TFOpLambda
names any function of TensorFlow, those that write files included. A file with one is
refused, but for functions that only compute.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.card import Declared
from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIXES = (".keras", ".h5", ".hdf5")
# What Keras 2 records for arithmetic between layers; MobileNetV3's hard swish is some.
_COMPUTING = ("math.", "nn.", "__operators__.", "image.", "clip_by_value", "cast", "reshape")
_MAX_CONFIG = 64 << 20  # bytes of JSON; the largest real ones are a few hundred KiB


@dataclass(frozen=True)
class _Header:
    version: str
    config: Any


def export(path: Path, saved_model: Path) -> Declared:
    """Load a Keras model file and write it as a SavedModel.

    Args:
        path: A `.keras` archive, or an HDF5 file with the whole model.
        saved_model: The folder to write; it must not exist.

    Returns:
        What the model says of its own input: the value range where its first layer is a
        `Rescaling` over bytes.

    Raises:
        BadInputError: The file is no Keras model, holds weights only, or holds a layer
            that runs code of its own.
    """
    header = _read_header(path)
    layers = list(_layers(header.config))
    for layer in layers:
        if code := _foreign_code(layer):
            raise BadInputError(
                f"{path} holds {code}, which runs what the file's author chose when it is loaded; "
                "replace it by a named layer and save the model again"
            )
    try:
        with tensorflow.quiet():
            _export(path, saved_model, header.version)
    except Exception as error:
        # Keras raises whatever its layers raise; all of it means the same to the user.
        raise BadInputError(
            f"{path} cannot be loaded by Keras {header.version}: {_first_line(error)}"
        ) from error
    return Declared(value_range=(0.0, 255.0)) if _rescales_bytes(layers) else Declared()


def _export(path: Path, saved_model: Path, version: str) -> None:
    if version.startswith("3."):
        model = tensorflow.load().keras.models.load_model(path, compile=False, safe_mode=True)
        model.export(str(saved_model), format="tf_saved_model", verbose=False)
    else:
        tensorflow.load()
        import tf_keras

        model = tf_keras.models.load_model(path, compile=False, safe_mode=True)
        model.export(str(saved_model))


def _read_header(path: Path) -> _Header:
    try:
        if zipfile.is_zipfile(path):
            return _read_archive(path)
        return _read_hdf5(path)
    except (OSError, KeyError, ValueError, TypeError, RecursionError, zipfile.BadZipFile) as error:
        raise BadInputError(
            f"{path} is no Keras model file ({_first_line(error)}); "
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


def _layers(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every layer's configuration, nested models' included, in order."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _layers(value)
    elif isinstance(config, list):
        for value in config:
            yield from _layers(value)


def _foreign_code(layer: dict[str, Any]) -> str | None:
    """Name the layer if loading it runs more than arithmetic."""
    kind = str(layer["class_name"])
    config = layer.get("config")
    config = config if isinstance(config, dict) else {}
    if kind == "Lambda":
        return f"the Lambda layer {config.get('name', 'lambda')!r}"
    if kind in ("TFOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"):
        function = str(config.get("function", kind))
        if not function.startswith(_COMPUTING):
            return f"a call of tf.{function}"
    return None


def _rescales_bytes(layers: list[dict[str, Any]]) -> bool:
    """Tell whether the model maps bytes to its own range right behind its input."""
    for layer in layers:
        if layer["class_name"] == "Rescaling":
            scale = layer.get("config", {}).get("scale")
            return isinstance(scale, float) and scale < 1 / 64
        if layer["class_name"].startswith(("Conv", "Depthwise", "Separable", "Dense")):
            break
    return False


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
