"""Reads the structure of TFLite files (FlatBuffers of TensorFlow's `schema.fbs`) within limits.

The reader of FlatBuffers for Python trusts the offsets in a file. So every count is compared with
the file's size before anything of that length is made, and each fault becomes one sentence.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from inspect import signature
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats.format import MOST_NUMBERS, UnsupportedError
from toolchain.text import brief

if TYPE_CHECKING:
    from pathlib import Path

WAY_OUT = "give what it was made from: the Keras file, the SavedModel folder or the .onnx file"
"""What a refusal advises."""
KINDS = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "INT32": "<i4",
    "UINT8": "u1",
    "INT64": "<i8",
    "BOOL": "?",
    "INT16": "<i2",
    "INT8": "i1",
}
"""NumPy's names of the kinds of numbers that are read; `schema.fbs` calls them `TensorType`."""
_MARK, _MARK_AT = b"TFL3", 4
_MAX_BYTES = (1 << 31) - 1  # offsets have 32 bits
_MAX_TENSORS = 100_000
_MAX_STEPS = 100_000
_MAX_LISTED = 1 << 20  # inputs and outputs of operators, in all
_MAX_CODES = 1000  # kinds of operators, signatures' names, or entries of metadata
_MAX_RANK = 8
_LEAST_NAMES = 1 << 20  # bytes of names that a file of any size may have
_CONTROL = frozenset({"IF", "WHILE", "CALL", "CALL_ONCE", "STABLEHLO_COMPOSITE"})
_METADATA = b"TFLITE_METADATA"
_FAULTS = (
    *(struct.error, LookupError, ValueError, TypeError, AttributeError, ArithmeticError),
    *(AssertionError, MemoryError),
)
_SKIPPED = ("AsNumpy", "Length", "IsNone")


@dataclass(frozen=True)
class Steps:
    """How the integers `q` of a tensor stand for numbers: `scale * (q - zero_point)`."""

    scales: Any
    """float32 `[1]`, or one for each index of `axis`."""
    zero_points: Any
    """int64, as many, or one."""
    axis: int

    def along(self, rank: int) -> tuple[Any, Any]:
        """Return scales and zero points in float64, for a tensor of that rank.

        Raises:
            UnsupportedError: A scale is no positive number.
        """
        scales, points = (each.astype(np.float64) for each in (self.scales, self.zero_points))
        if not (np.isfinite(scales) & (scales >= 0)).all():
            raise UnsupportedError("scales of integers that are not positive")
        form = [1] * rank
        if rank:
            form[self.axis % rank] = -1
        return tuple(each.reshape(form) if len(each) > 1 else each[0] for each in (scales, points))


@dataclass(frozen=True)
class Tensor:
    """A tensor as the file describes it."""

    index: int
    name: str
    kind: str
    """A key of `KINDS`, or another name of `TensorType`."""
    shape: tuple[int, ...]
    """With 1 for a length that is open."""
    is_open: tuple[bool, ...]
    """Which of its lengths are open."""
    steps: Steps | None
    """How its integers stand for numbers; None if they are just integers, or floats."""
    bytes: Any
    """uint8, its numbers in the file; None if they are computed."""


@dataclass(frozen=True)
class Step:
    """One operator, in the order of their execution."""

    kind: str
    """Its name in `BuiltinOperator`."""
    inputs: tuple[int, ...]
    """Indices of tensors; -1 for those left out."""
    outputs: tuple[int, ...]
    options: dict[str, Any]
    """The fields of its options, by the names that `schema_py_generated` has for them."""


@dataclass(frozen=True)
class LiteGraph:
    """What a file holds."""

    tensors: tuple[Tensor, ...]
    steps: tuple[Step, ...]
    inputs: dict[str, int]
    """Indices of tensors, by name."""
    outputs: dict[str, int]
    metadata: Any
    """uint8, the model metadata; None if it has none."""


def is_one(path: Path) -> bool:
    """Tell whether an existing file begins as TFLite files do."""
    try:
        with path.open("rb") as file:
            return file.read(_MARK_AT + len(_MARK))[_MARK_AT:] == _MARK
    except OSError:
        return False


def parsed(path: Path) -> LiteGraph:
    """Return the structure of a TFLite file.

    Raises:
        BadInputError: It is not TFLite, is damaged, or holds something else than one graph of
            numbers.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadInputError(f"{path} is larger than 2 GiB; a page cannot use such a model")
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read: {error.strerror}; check its permissions"
        ) from error
    if content[_MARK_AT : _MARK_AT + len(_MARK)] != _MARK:
        raise BadInputError(f"{path} is not a TFLite file; get it again, or {WAY_OUT}")
    try:
        return _read(content)
    except UnsupportedError as error:
        raise BadInputError(f"{path} holds {error}, which is not read; {WAY_OUT}") from error
    except _FAULTS as error:
        raise BadInputError(f"{path} is a damaged TFLite file; get it again") from error


def _schema() -> Any:
    tensorflow.load()
    try:
        from tensorflow.lite.python import schema_py_generated
    except ImportError as error:
        raise UnsupportedError(
            "a graph in a format that the installed TensorFlow does not bring"
        ) from error
    return schema_py_generated


@cache
def _names(enumeration: str) -> dict[int, str]:
    """Return the names of an enumeration of the schema, by number."""
    values = vars(getattr(_schema(), enumeration))
    return {number: name for name, number in values.items() if isinstance(number, int)}


@cache
def _fields(table: str) -> tuple[str, ...]:
    """Return the names of the methods that read a table's fields, vectors as arrays."""
    kind = getattr(_schema(), table)
    methods = {
        name: each
        for name, each in vars(kind).items()
        if name[0].isupper() and name != "Init" and not isinstance(each, classmethod)
    }
    vectors = {name.removesuffix("AsNumpy") for name in methods if name.endswith("AsNumpy")}
    plain = [
        name
        for name, each in methods.items()
        if not name.endswith(_SKIPPED) and len(signature(each).parameters) == 1
    ]
    return (*plain, *(f"{name}AsNumpy" for name in sorted(vectors)))


def _read(content: bytes) -> LiteGraph:
    model, size = _schema().Model.GetRootAs(content, 0), len(content)
    _check_count(model.SubgraphsLength(), size)
    _check_count(model.BuffersLength(), size)
    _check_count(model.OperatorCodesLength(), size, _MAX_CODES)
    codes = [model.OperatorCodes(at) for at in range(model.OperatorCodesLength())]
    if not model.SubgraphsLength():
        raise UnsupportedError("no graph")
    graph = model.Subgraphs(0)
    steps = _all_steps(graph, codes, size)
    if model.SubgraphsLength() > 1:
        raise UnsupportedError(f"{model.SubgraphsLength():,} graphs")
    tensors = _all_tensors(model, graph, size)
    ends = _indices(graph.InputsAsNumpy()), _indices(graph.OutputsAsNumpy())
    if not all(-1 <= at < len(tensors) for step in steps for at in (*step.inputs, *step.outputs)):
        raise ValueError("an operator of a tensor that is not there")
    if not all(0 <= at < len(tensors) for at in (*ends[0], *ends[1])):
        raise ValueError("an end that is not there")
    if not steps or not ends[1]:
        raise UnsupportedError("no operators or no outputs")
    names = _signature(model, size)
    inputs, outputs = (
        {side.get(at, tensors[at].name): at for at in end}
        for side, end in zip(names, ends, strict=True)
    )
    return LiteGraph(tensors, steps, inputs, outputs, _metadata(model, size))


def _all_steps(graph: Any, codes: list[Any], size: int) -> tuple[Step, ...]:
    _check_count(graph.OperatorsLength(), size, _MAX_STEPS)
    steps, listed = [], 0
    for at in range(graph.OperatorsLength()):
        step = _step(graph.Operators(at), codes)
        listed += len(step.inputs) + len(step.outputs)
        if listed > _MAX_LISTED:
            raise UnsupportedError(f"more than {_MAX_LISTED:,} inputs of operators")
        steps.append(step)
    return tuple(steps)


def _all_tensors(model: Any, graph: Any, size: int) -> tuple[Tensor, ...]:
    _check_count(graph.TensorsLength(), size, _MAX_TENSORS)
    tensors, left = [], max(size, _LEAST_NAMES)
    for at in range(graph.TensorsLength()):
        tensor = _tensor(model, graph, at)
        left -= len(tensor.name)
        if left < 0:
            raise ValueError("more names than the file can hold")
        tensors.append(tensor)
    return tuple(tensors)


def _check_count(count: int, size: int, most: int | None = None) -> None:
    """Check the length of a vector of offsets, which have four bytes each."""
    if count * 4 > size:
        raise ValueError("a vector longer than the file")
    if most is not None and count > most:
        raise UnsupportedError(f"more than {most:,} parts")


def _indices(vector: Any) -> tuple[int, ...]:
    """Return a vector of integers; flatbuffers has 0 for one that is not there."""
    if isinstance(vector, int):
        return ()
    if len(vector) > _MAX_LISTED:
        raise UnsupportedError(f"a list of more than {_MAX_LISTED:,} integers")
    return tuple(vector.tolist())


def _code(code: Any) -> str:
    """Return the name of an operator; files of old versions keep it in a field of one byte."""
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _names("BuiltinOperator").get(number, f"number {number}")
    if name == "CUSTOM":
        own = (code.CustomCode() or b"").decode("utf-8", "replace")
        return f"CUSTOM {brief(own)}"
    return name


def _step(operator: Any, codes: list[Any]) -> Step:
    kind = _code(codes[operator.OpcodeIndex()])
    if kind.startswith("CUSTOM"):
        raise UnsupportedError(f"the operator {kind.removeprefix('CUSTOM ')} of another tool")
    if kind in _CONTROL:
        raise UnsupportedError(f"the operator {kind}, which runs another graph")
    options: dict[str, Any] = {}
    for type_of, table_of, union in (
        (operator.BuiltinOptionsType, operator.BuiltinOptions, "BuiltinOptions"),
        (operator.BuiltinOptions2Type, operator.BuiltinOptions2, "BuiltinOptions2"),
    ):
        if type_of() and (table := table_of()) is not None:
            options |= _options(table, _names(union)[type_of()])
    return Step(
        kind,
        _indices(operator.InputsAsNumpy()),
        _indices(operator.OutputsAsNumpy()),
        options,
    )


def _options(table: Any, named: str) -> dict[str, Any]:
    made = getattr(_schema(), named)()
    made.Init(table.Bytes, table.Pos)
    return {field.removesuffix("AsNumpy"): getattr(made, field)() for field in _fields(named)}


def _tensor(model: Any, graph: Any, at: int) -> Tensor:
    found = graph.Tensors(at)
    name = (found.Name() or b"").decode("utf-8", "replace")
    kind = _names("TensorType").get(found.Type(), f"number {found.Type()}")
    if found.Sparsity() is not None:
        raise UnsupportedError(f"the sparse tensor {brief(name)}")
    if found.IsVariable():
        raise UnsupportedError(f"the variable {brief(name)}")
    shape, open_shape = found.ShapeAsNumpy(), found.ShapeSignatureAsNumpy()
    shape = () if isinstance(shape, int) else tuple(shape[: _MAX_RANK + 1].tolist())
    if len(shape) > _MAX_RANK or any(side < 0 for side in shape) or prod(shape) > MOST_NUMBERS:
        raise UnsupportedError(f"the tensor {brief(name)} of the shape {list(shape)}")
    if isinstance(open_shape, int) or not len(open_shape):
        is_open = (False,) * len(shape)
    else:
        is_open = tuple((open_shape[: len(shape)] < 0).tolist())
    if len(is_open) != len(shape):
        raise ValueError("two shapes of different ranks")
    content = _buffer(model, found.Buffer())
    if content is not None:
        if kind not in KINDS:
            raise UnsupportedError(f"the tensor {brief(name)} of the kind {kind}")
        if len(content) != prod(shape) * np.dtype(KINDS[kind]).itemsize:
            raise ValueError("a tensor of another length than its shape")
    return Tensor(at, name, kind, shape, is_open, _steps(found, kind, shape), content)


def _buffer(model: Any, at: int) -> Any:
    """Return the bytes of a buffer; None if it has none. The first one never has."""
    if not at:
        return None
    if at >= model.BuffersLength():
        raise ValueError("a buffer that is not there")
    found = model.Buffers(at)
    if found.Offset() > 1:
        raise UnsupportedError("weights behind its graph, as files above 2 GB have them")
    content = found.DataAsNumpy()
    return None if isinstance(content, int) else content


def _steps(tensor: Any, kind: str, shape: tuple[int, ...]) -> Steps | None:
    found = tensor.Quantization()
    if found is None or kind.startswith("FLOAT"):
        return None
    scales, points = found.ScaleAsNumpy(), found.ZeroPointAsNumpy()
    if isinstance(scales, int) or not len(scales):
        return None
    if found.DetailsType():
        raise UnsupportedError("quantisation of a kind of its own")
    points = np.zeros(1, np.int64) if isinstance(points, int) else points
    axis = found.QuantizedDimension()
    whole = len(scales) == 1 or (0 <= axis < len(shape) and shape[axis] == len(scales))
    if not whole or len(points) not in (1, len(scales)):
        raise ValueError("another number of scales than channels")
    return Steps(scales, points, axis)


def _signature(model: Any, size: int) -> tuple[dict[int, str], dict[int, str]]:
    """Return the names that the only signature has for inputs and outputs, by tensor."""
    if model.SignatureDefsLength() != 1:
        return {}, {}
    found = model.SignatureDefs(0)
    sides = []
    for count, entry in (
        (found.InputsLength(), found.Inputs),
        (found.OutputsLength(), found.Outputs),
    ):
        _check_count(count, size, _MAX_CODES)
        maps = [entry(at) for at in range(count)]
        sides.append(
            {each.TensorIndex(): (each.Name() or b"").decode("utf-8", "replace") for each in maps}
        )
    return sides[0], sides[1]


def _metadata(model: Any, size: int) -> Any:
    _check_count(model.MetadataLength(), size, _MAX_CODES)
    for at in range(model.MetadataLength()):
        found = model.Metadata(at)
        if found.Name() == _METADATA:
            return _buffer(model, found.Buffer())
    return None
