"""Turns an ONNX file, as PyTorch exports it, into a SavedModel with channels last.

The graph is translated operator by operator (:mod:`toolchain.formats.onnx_operators`). The
package `onnx` only parses the file. Weights may lie in files beside it, but not elsewhere.
"""

from __future__ import annotations

from math import prod
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import exported_settings, onnx_operators
from toolchain.formats.format import NOTHING_NAMED, Format, Named
from toolchain.formats.onnx_value import CHANNELS_LAST, UnsupportedError, Value, plain
from toolchain.records.card import MAX_SIDE

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.records.card import Declared

_MAX_BYTES = 2 << 30  # a file of Protocol Buffers has no more
_MAX_NODES = 100_000
_COLOURS = 3
_EXTERNAL = 1  # TensorProto.DataLocation.EXTERNAL
_FLOAT, _HALF = 1, 10  # TensorProto.DataType
_EXPORT = (
    "torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), 'model.onnx', opset_version=17)"
)
_FAULTS = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError)


def export(
    path: Path, saved_model: Path, *, trusted: bool = False, named: Named = NOTHING_NAMED
) -> Declared:
    """Write an ONNX classifier as a SavedModel; its input is float32 `[photos, height, width, 3]`.

    Args:
        path: The file. A `config.json` or `preprocessor_config.json` beside it is read too.
        saved_model: The folder to write; it must not exist.
        trusted: Not used; such a file cannot hold code.
        named: Not used: a file with several inputs or outputs is refused.

    Returns:
        The labels and the preprocessing that the files beside it declare.

    Raises:
        BadInputError: It is not ONNX, has another input than one image, computes what is not
            translated, or names files outside its folder; or `onnx` is not installed.
    """
    del trusted, named
    model = _parsed(path)
    declared = exported_settings.beside(path)
    try:
        with tensorflow.quiet():
            _write(model, path, saved_model, declared)
    except UnsupportedError as error:
        raise BadInputError(
            f"{path} holds {error}, which is not translated from ONNX; export the model anew with "
            f"`{_EXPORT}`, or as a SavedModel"
        ) from error
    except BadInputError:
        raise
    except Exception as error:
        # TensorFlow reports shapes that do not fit in many ways; all mean a faulty file.
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInputError(
            f"{path} cannot be translated from ONNX: {said}; export it anew with `{_EXPORT}`"
        ) from error
    return declared


def companions(path: Path) -> tuple[Path, ...]:
    """Return the files beside an ONNX file that belong to it: weights and settings.

    Raises:
        BadInputError: It is not ONNX, or names files outside its folder.
    """
    tensors = _parsed(path).graph.initializer
    named = {_place(tensor, path)[0] for tensor in tensors if tensor.data_location == _EXTERNAL}
    return (*sorted(named), *exported_settings.files(path))


def weights(path: Path) -> dict[str, Any]:
    """Return the tensors that an ONNX file holds, by name.

    Raises:
        BadInputError: It is not ONNX, names files outside its folder, or holds other shapes than
            bytes.
    """
    try:
        return {each.name: _numbers(each, path) for each in _parsed(path).graph.initializer}
    except UnsupportedError as error:
        raise BadInputError(f"{path} holds {error}; export it with `{_EXPORT}`") from error


def _parsed(path: Path) -> Any:
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
        raise BadInputError(f"{path} is not an ONNX file; export it with `{_EXPORT}`") from error
    if not model.graph.node or not model.graph.output:
        raise BadInputError(f"{path} is not an ONNX file; export it with `{_EXPORT}`")
    if len(model.graph.node) > _MAX_NODES:
        raise BadInputError(f"{path} has more than {_MAX_NODES:,} operators; export a smaller one")
    return model


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


def _numbers(tensor: Any, path: Path) -> Any:
    """Return a tensor of the file as an array; halves as float32.

    Raises:
        UnsupportedError: Its type or its shape is not that of its bytes.
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
    if tensor.data_type == _HALF:
        found = found.astype(np.float32)
    return np.ascontiguousarray(found).reshape(shape)


def _write(model: Any, path: Path, saved_model: Path, declared: Declared) -> None:
    tf = tensorflow.load()
    graph = model.graph
    known = {each.name: plain(_numbers(each, path)) for each in graph.initializer}
    photos = [each for each in graph.input if each.name not in known]
    if len(photos) != 1:
        raise BadInputError(
            f"{path} has {len(photos)} inputs; export a classifier whose only input is one image"
        )
    shape, axes = _image(photos[0], path, declared)
    outputs = [each.name for each in graph.output]

    def serve(image: Any) -> dict[str, Any]:
        values = {**known, photos[0].name: Value(image, axes)}
        for node in graph.node:
            _compute(node, values, path)
        found = {f"output_{at}": values[name].ordered() for at, name in enumerate(outputs)}
        return {name: tf.convert_to_tensor(tensor) for name, tensor in found.items()}

    image = tf.TensorSpec(shape, "float32", name="image")
    concrete = tf.function(serve, autograph=False).get_concrete_function(image)
    tf.saved_model.save(tf.Module(), str(saved_model), {"serving_default": concrete})


def _image(
    photo: Any, path: Path, declared: Declared
) -> tuple[tuple[int | None, ...], tuple[int, ...]]:
    """Return the input's shape with channels last, and how ONNX' axes are stored in it."""
    kind = photo.type.tensor_type
    sides = [side.dim_value if side.HasField("dim_value") else 0 for side in kind.shape.dim]
    if (
        kind.elem_type != _FLOAT
        or len(sides) != len(CHANNELS_LAST)
        or _COLOURS not in (sides[1], sides[3])
    ):
        raise BadInputError(
            f"{path} has an input {photo.name!r} that is not float32 [1, 3, height, width]; "
            f"export it with `{_EXPORT}`"
        )
    first = sides[1] == _COLOURS
    height, width = sides[2:] if first else sides[1:3]
    height, width = height or declared.height or 0, width or declared.width or 0
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise BadInputError(
            f"{path} does not say how large its images are; export it with a fixed "
            f"size: `{_EXPORT}`"
        )
    if sides[0] > 1:
        raise BadInputError(
            f"{path} takes {sides[0]} images at once; export it for one: `{_EXPORT}`"
        )
    return (None, height, width, 3), CHANNELS_LAST if first else (0, 1, 2, 3)


def _compute(node: Any, values: dict[str, Value], path: Path) -> None:
    """Compute one operator and keep its output among the values."""
    from onnx import helper

    if node.domain not in ("", "ai.onnx"):
        raise UnsupportedError(f"the operator {node.domain}.{node.op_type}")
    if node.op_type == "Constant":
        given = [each.t for each in node.attribute if each.name == "value"]
        if not given:
            raise UnsupportedError("a Constant that is no tensor")
        values[node.output[0]] = plain(_numbers(given[0], path))
        return
    if node.op_type not in onnx_operators.OPERATORS:
        raise UnsupportedError(f"the operator {node.op_type}")
    missing = [name for name in node.input if name and name not in values]
    if missing:
        raise UnsupportedError(f"the operator {node.op_type} before its input {missing[0]!r}")
    inputs = [values[name] if name else None for name in node.input]
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    values[node.output[0]] = onnx_operators.OPERATORS[node.op_type](inputs, attributes)


FORMAT = Format(
    named="ONNX files",
    suffixes=(".onnx",),
    recognises=lambda path: path.is_file() and path.name.endswith(".onnx"),
    read=export,
    companions=companions,
)
