"""Parses ONNX files within limits. Weights may lie in files beside one, but not elsewhere."""

from __future__ import annotations

from math import prod
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.formats.format import UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

EXPORT = (
    "torch.onnx.export(model.eval(), (torch.zeros(1, 3, 224, 224),), 'model.onnx', "
    "opset_version=18)"
)
"""The line of PyTorch that writes a file which can be read."""
_MAX_BYTES = 2 << 30  # a file of Protocol Buffers has no more
_MAX_NODES = 100_000
_EXTERNAL = 1  # TensorProto.DataLocation.EXTERNAL
_AS_FLOAT = (10, 11, 16)  # TensorProto.DataType: halves, doubles and bfloat16
_FAULTS = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError)
_INFINITE = 3.0e38  # TF.js has no infinity in its weights


def parsed(path: Path) -> Any:
    """Return the `ModelProto` of a file.

    Raises:
        BadInputError: It is not ONNX or too large, or `onnx` is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise BadInputError(
            f"{path} needs the package onnx; install it with `pip install 'toolchain[onnx]'`"
        ) from error
    except Exception as error:
        # Protocol Buffers has an error of its own for files made for a newer version of it.
        raise BadInputError(
            f"{path} needs another version of the package onnx than the installed one; install "
            "it with `pip install 'toolchain[onnx]'`"
        ) from error
    if path.stat().st_size > _MAX_BYTES:
        raise BadInputError(f"{path} is larger than 2 GiB; a page cannot use such a model")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise BadInputError(f"{path} is not an ONNX file; export it with `{EXPORT}`") from error
    if not model.graph.node or not model.graph.output:
        raise BadInputError(f"{path} is not an ONNX file; export it with `{EXPORT}`")
    if len(model.graph.node) > _MAX_NODES:
        raise BadInputError(f"{path} has more than {_MAX_NODES:,} operators; export a smaller one")
    return model


def weight_files(path: Path) -> tuple[Path, ...]:
    """Return the files beside an ONNX file that hold its weights.

    Raises:
        BadInputError: It is not ONNX, or names files outside its folder.
    """
    tensors = parsed(path).graph.initializer
    named = {_place(tensor, path)[0] for tensor in tensors if tensor.data_location == _EXTERNAL}
    return tuple(sorted(named))


def weights(path: Path) -> dict[str, Any]:
    """Return the tensors that an ONNX file holds, by name.

    Raises:
        BadInputError: It is not ONNX, names files outside its folder, or holds other shapes than
            bytes.
    """
    try:
        return {each.name: numbers(each, path) for each in parsed(path).graph.initializer}
    except UnsupportedError as error:
        raise BadInputError(f"{path} holds {error}; export it with `{EXPORT}`") from error


def _place(tensor: Any, path: Path) -> tuple[Path, int, int | None]:
    """Return where a tensor's numbers lie: the file, the first byte, and how many.

    Raises:
        BadInputError: That file is not a plain file in the model's folder or below.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    named = entries.get("location", "")
    inside = PurePosixPath(named)
    found = path.parent / inside
    refused = not named.isprintable() or "\\" in named or inside.is_absolute()
    if not refused:
        below = [found, *list(found.parents)[: len(inside.parts) - 1]]
        refused = ".." in inside.parts or any(each.is_symlink() for each in below)
    if refused or not inside.parts or not found.is_file():
        raise BadInputError(
            f"{path} has weights in {named!r}, which is not a plain file in its folder; put that "
            "file beside it, or save the model in one file"
        )
    try:
        start, length = int(entries.get("offset", "0")), entries.get("length")
        count = None if length is None else int(length)
    except ValueError as error:
        raise BadInputError(
            f"{path} has weights at no place in {named!r}; save it again"
        ) from error
    if start < 0 or (count is not None and not 0 <= count <= _MAX_BYTES):
        raise BadInputError(f"{path} has weights at no place in {named!r}; save it again")
    return found, start, count


def numbers(tensor: Any, path: Path) -> Any:
    """Return a tensor of the file as an array; floats of any size as float32, and finite.

    Args:
        tensor: The `TensorProto`.
        path: The file that it is in.

    Raises:
        UnsupportedError: Its type or its shape is not that of its bytes.
        BadInputError: Its bytes lie outside the file's folder.
    """
    from onnx import helper, numpy_helper

    shape = tuple(tensor.dims)
    if any(side < 0 for side in shape) or prod(shape) > _MAX_BYTES:
        raise UnsupportedError(f"a tensor of the shape {shape}")
    try:
        if tensor.data_location == _EXTERNAL:
            file, start, length = _place(tensor, path)
            kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).newbyteorder("<")
            needed = prod(shape) * kind.itemsize
            if length not in (None, needed) or start + needed > file.stat().st_size:
                raise UnsupportedError(f"the weights {tensor.name!r}, whose file is too short")
            with file.open("rb") as opened:
                opened.seek(start)
                found = np.frombuffer(opened.read(needed), kind).reshape(shape)
        else:
            found = numpy_helper.to_array(tensor)
    except _FAULTS as error:
        raise UnsupportedError(f"the weights {tensor.name!r} of a wrong length or type") from error
    if tensor.data_type in _AS_FLOAT:
        found = found.astype(np.float32)
    if found.dtype == np.float32 and np.isinf(found).any():
        found = found.clip(-_INFINITE, _INFINITE)
    return np.ascontiguousarray(found).reshape(shape)
