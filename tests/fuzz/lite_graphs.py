"""TFLite graphs, damaged as graphs: the file can be parsed, but what it says does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.fuzz import damage
from toolchain import tf as tensorflow
from toolchain.formats import tflite_file, tflite_network
from toolchain.formats.format import UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.reader import Strategy
    from tests.tflite_files import LiteFile

_ODD = (0, 1, -1, 2, 3, 7, 33, 1 << 12, 1 << 20, (1 << 31) - 1, -(1 << 31))
_KINDS = ("option", "operator", "input", "shape", "number", "cut", "again", "type")
_edits = damage.graph_edits(_KINDS, _ODD)


def contents() -> Strategy:
    """Return a strategy for files whose operators, options, inputs and numbers are changed."""
    return _edits.map(_edited)


def _whole() -> LiteFile:
    from tests.tflite_files import LiteFile

    made = LiteFile()
    numbers = {at: made.constant(np.array([at], np.int32)) for at in (0, 1, 2, 4, 6)}
    sides = made.add("SHAPE", [0], (4,), "Shape", made="INT32", outType=2)
    first = made.add("SLICE", [sides, numbers[0], numbers[1]], (1,), "Slice", made="INT32")
    parts = [first, numbers[4], numbers[4], numbers[2], numbers[6]]
    form = made.add("CONCATENATION", parts, (5,), "Concatenation", made="INT32")
    widths = made.constant(np.array([[0, 0], [0, 0], [1, 1], [0, 0]], np.int32))
    steps: dict[str, Any] = {"strideH": 2, "strideW": 2}
    x = made.add("PAD", [0, widths], (1, 8, 10, 3), "Pad")
    x = made.add("CONV_2D", [x, made.drawn(4, 3, 3, 3), made.drawn(4)], (), "Conv2D", **steps)
    size = made.constant(np.array([8, 6], np.int32))
    x = made.add("RESIZE_BILINEAR", [x, size], (), "ResizeBilinear")
    x = made.add("RESHAPE", [x, form], ())
    filled = made.add("FILL", [numbers[6], made.constant(np.float32(0.5))], (6,), "Fill")
    x = made.add("ADD", [x, filled], (), "Add")
    x = made.add("SUM", [x, numbers[1]], (), "Reducer")
    x = made.add("TILE", [x, made.constant(np.array([1, 2, 1, 1], np.int32))], ())
    x = made.add("RESHAPE", [x], (), "Reshape", newShape=[1, -1])
    made.add("FULLY_CONNECTED", [x, made.drawn(5, 96), made.drawn(5)], (1, 5), "FullyConnected")
    return made


def _edited(edits: list[tuple[str, int, int, int]]) -> bytes:
    made = _whole()
    for edit in edits:
        _edit(made, *edit)
    try:
        return made.to_bytes()
    except (TypeError, OverflowError, ValueError):  # the builder takes no such number
        return b""


def _edit(made: LiteFile, kind: str, place: int, other: int, odd: int) -> None:
    operator = made.operators[place % len(made.operators)]
    names = sorted(getattr(operator.builtinOptions, "__dict__", {}))
    if kind == "option" and names:
        setattr(operator.builtinOptions, names[other % len(names)], odd)
    elif kind == "operator":
        operator.opcodeIndex = other % len(made.codes)
    elif kind == "input" and operator.inputs:
        operator.inputs[other % len(operator.inputs)] = odd if other % 5 == 0 else other % 40
    elif kind == "shape":
        tensor = made.tensors[place % len(made.tensors)]
        if tensor.shape:
            tensor.shape[other % len(tensor.shape)] = odd
    elif kind == "number":
        _change_number(made, place, other, odd)
    elif kind == "cut" and len(made.operators) > 1:
        made.operators.remove(operator)
    elif kind == "again":
        made.operators.insert(other % len(made.operators), operator)
    elif kind == "type":
        made.tensors[place % len(made.tensors)].type = other % 20


def _change_number(made: LiteFile, place: int, other: int, odd: int) -> None:
    """Change one of the integers in the file, such as a side of a shape."""
    whole = [each for each in made.tensors if each.buffer and each.type == 2]
    data = made.buffers[whole[place % len(whole)].buffer]
    numbers = np.frombuffer(data.data.tobytes(), np.int32).copy()
    numbers[other % len(numbers)] = odd
    data.data = np.frombuffer(numbers.tobytes(), np.uint8)


def read(path: Path) -> None:
    """Parse the file and make the graph, as reading it does; nothing of it runs."""
    tf = tensorflow.load()
    graph = tflite_file.parsed(path)

    try:
        with tensorflow.quiet(), tf.__internal__.FuncGraph("fuzzed").as_default():
            network = tflite_network.Network(graph, list(graph.outputs.values()))
            network.compute(0, tf.compat.v1.placeholder(tf.float32, (1, 8, 8, 3)))
    except (UnsupportedError, tf.errors.OpError, *_FAULTS):
        return


# `tflite_model.export` makes a sentence of any of these.
_FAULTS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError)
