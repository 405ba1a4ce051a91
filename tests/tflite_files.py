"""TFLite files made operator by operator, without the converter: whole ones, and odd ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toolchain import tf as tensorflow

_KINDS = {"f4": "FLOAT32", "f2": "FLOAT16", "i4": "INT32", "i8": "INT64", "i1": "INT8"}
_KINDS |= {"u1": "UINT8", "b1": "BOOL"}


def schema() -> Any:
    """Return the classes of TensorFlow's `schema.fbs`."""
    tensorflow.load()
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated


@dataclass
class LiteFile:
    """A file that is being made. Its first tensor takes the photo, as float32 or as bytes."""

    photo: tuple[int, ...] = (1, 8, 8, 3)
    kind: str = "FLOAT32"
    scale: float | None = None
    zero_point: int = 0
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=list)
    outputs: list[int] | None = None
    metadata: bytes | None = None

    def __post_init__(self) -> None:
        self.buffers.append(schema().BufferT())
        self.tensor("photo", self.kind, self.photo, scale=self.scale, zero_point=self.zero_point)

    def tensor(
        self,
        name: str,
        kind: str,
        shape: tuple[int, ...],
        content: bytes | None = None,
        *,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> int:
        """Add a tensor, and return its index."""
        made = schema().TensorT()
        made.name, made.shape = name.encode(), list(shape)
        made.type = getattr(schema().TensorType, kind)
        made.buffer = 0
        if scale is not None:
            made.quantization = schema().QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [zero_point]
        if content is not None:
            buffer = schema().BufferT()
            buffer.data = np.frombuffer(content, np.uint8)
            made.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def constant(self, array: Any) -> int:
        """Add a tensor with numbers, and return its index."""
        whole = np.asarray(array)
        kind = _KINDS[whole.dtype.str[1:]]
        return self.tensor(f"constant_{len(self.tensors)}", kind, whole.shape, whole.tobytes())

    def drawn(self, *shape: int) -> int:
        """Add random weights, and return their index."""
        random = np.random.default_rng(len(self.tensors))
        fan = max(1, int(np.prod(shape[1:])))
        return self.constant(random.normal(0, fan**-0.5, shape).astype(np.float32))

    def add(
        self,
        kind: str,
        inputs: list[int],
        shape: tuple[int, ...],
        options: str | None = None,
        *,
        results: int = 1,
        made: str = "FLOAT32",
        **values: Any,
    ) -> int:
        """Add an operator, and return the index of its first result.

        Args:
            kind: Its name in `BuiltinOperator`.
            inputs: Indices of tensors.
            shape: The shape of each of its results.
            options: The name of its options without `Options`.
            results: How many there are.
            made: The kind of their numbers.
            values: The options.
        """
        code = schema().OperatorCodeT()
        code.builtinCode = getattr(schema().BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(127, code.builtinCode)
        code.version = values.pop("version", 1)
        self.codes.append(code)
        operator = schema().OperatorT()
        operator.opcodeIndex, operator.inputs = len(self.codes) - 1, inputs
        if options:
            table = f"{options}Options"
            operator.builtinOptionsType = getattr(schema().BuiltinOptions, table)
            operator.builtinOptions = getattr(schema(), f"{table}T")()
            for name, value in values.items():
                setattr(operator.builtinOptions, name, value)
        first = len(self.tensors)
        names = [f"{kind.lower()}_{first + at}" for at in range(results)]
        operator.outputs = [self.tensor(name, made, shape) for name in names]
        self.operators.append(operator)
        return first

    def graph(self) -> Any:
        """Return the graph as an object of the schema."""
        graph = schema().SubGraphT()
        graph.tensors, graph.operators, graph.inputs = self.tensors, self.operators, [0]
        graph.outputs = [len(self.tensors) - 1] if self.outputs is None else self.outputs
        return graph

    def to_bytes(self, *, graphs: int = 1) -> bytes:
        """Return the file, with the last tensor as its output where none is set."""
        import flatbuffers

        model = schema().ModelT()
        model.version, model.operatorCodes = 3, self.codes
        model.subgraphs = [self.graph() for _ in range(graphs)]
        model.buffers = list(self.buffers)
        if self.metadata is not None:
            entry, buffer = schema().MetadataT(), schema().BufferT()
            entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers)
            buffer.data = np.frombuffer(self.metadata, np.uint8)
            model.metadata = [entry]
            model.buffers.append(buffer)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def small(**values: Any) -> LiteFile:
    """Return a file with a convolution, a mean and a dense layer for five classes."""
    made = LiteFile(**values)
    kernel, bias = made.drawn(4, 3, 3, 3), made.drawn(4)
    steps: dict[str, Any] = {"strideH": 2, "strideW": 2, "fusedActivationFunction": 3}
    seen = made.add("CONV_2D", [0, kernel, bias], (1, 4, 4, 4), "Conv2D", **steps)
    axes = made.constant(np.array([1, 2], np.int32))
    means = made.add("MEAN", [seen, axes], (1, 4), "Reducer", keepDims=False)
    weights = made.drawn(5, 4)
    made.add("FULLY_CONNECTED", [means, weights, made.drawn(5)], (1, 5), "FullyConnected")
    return made


def metadata(
    means: list[float], deviations: list[float], labels: str | None = "labels.txt"
) -> bytes:
    """Return model metadata (`metadata_schema.fbs`) with a normalisation and a file of labels."""
    import flatbuffers

    builder = flatbuffers.Builder(256)

    def record(fields: dict[int, Any]) -> int:
        """Add a table: whole numbers are offsets, and a tuple is a byte."""
        builder.StartObject(12)
        for number, value in fields.items():
            if isinstance(value, tuple):
                builder.PrependByteSlot(number, value[0], 0)
            else:
                builder.PrependUOffsetTRelativeSlot(number, value, 0)
        return int(builder.EndObject())

    def offsets(*entries: int) -> int:
        builder.StartVector(4, len(entries), 4)
        for each in reversed(entries):
            builder.PrependUOffsetTRelative(each)
        return int(builder.EndVector())

    def floats(numbers: list[float]) -> int:
        builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            builder.PrependFloat32(number)
        return int(builder.EndVector())

    options = record({0: floats(means), 1: floats(deviations)})
    photo = record({4: offsets(record({0: (1,), 1: options}))})
    files = {}
    if labels is not None:
        name = builder.CreateString(labels)
        files = {6: offsets(record({0: name, 2: (2,)}))}
    scores = record(files)
    about = record({2: offsets(photo), 3: offsets(scores)})
    licence = builder.CreateString("Apache-2.0")
    builder.Finish(record({3: offsets(about), 5: licence}), b"M001")
    return bytes(builder.Output())
