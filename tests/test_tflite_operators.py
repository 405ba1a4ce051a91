"""Each operator of TFLite that is read, against TFLite's own interpreter, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.tflite_files import LiteFile, schema, small
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import tflite_model, tflite_operators

if TYPE_CHECKING:
    from pathlib import Path

ONES = (
    *("ABS", "NEG", "EXP", "LOG", "SQRT", "RSQRT", "SQUARE", "FLOOR", "CEIL", "ROUND", "SIN"),
    *("COS", "TANH", "LOGISTIC", "ELU", "HARD_SWISH", "RELU", "RELU6", "RELU_N1_TO_1"),
    *("RELU_0_TO_1", "LOG_SOFTMAX"),
)
TWOS = (
    *("ADD", "SUB", "MUL", "DIV", "POW", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"),
    *("FLOOR_DIV", "FLOOR_MOD"),
)
COMPARED = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")


def ints(made: LiteFile, *numbers: Any) -> int:
    return made.constant(np.array(numbers, np.int32))


def elements() -> LiteFile:
    """Return a file with all operators on single numbers."""
    made = LiteFile()
    positive = made.add("EXP", [made.add("TANH", [0], ())], ())
    other = made.constant(np.float32(1.25))
    parts = [made.add(kind, [positive], ()) for kind in ONES]
    tables = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div"}
    for kind in TWOS:
        values: dict[str, Any] = {"fusedActivationFunction": 1} if kind in tables else {}
        parts.append(made.add(kind, [positive, other], (), tables.get(kind), **values))
    flags = [made.add(kind, [positive, other], (), made="BOOL") for kind in COMPARED]
    both = made.add("LOGICAL_AND", [flags[2], flags[1]], (), made="BOOL")
    either = made.add("LOGICAL_OR", [both, flags[0]], (), made="BOOL")
    neither = made.add("LOGICAL_NOT", [either], (), made="BOOL")
    taken = made.add("SELECT_V2", [neither, positive, parts[1]], (), "SelectV2")
    parts += [taken, made.add("SELECT", [either, taken, parts[1]], (), "Select")]
    parts += [made.add("CAST", [flag], (), "Cast", outDataType=0, inDataType=6) for flag in flags]
    parts.append(made.add("LEAKY_RELU", [parts[1]], (), "LeakyRelu", alpha=0.2))
    parts.append(made.add("PRELU", [parts[1], made.drawn(1, 1, 3)], ()))
    parts.append(made.add("L2_NORMALIZATION", [positive], (), "L2Norm"))
    norm: dict[str, Any] = {"radius": 2, "bias": 1.0, "alpha": 0.5, "beta": 0.75}
    parts.append(
        made.add(
            "LOCAL_RESPONSE_NORMALIZATION", [positive], (), "LocalResponseNormalization", **norm
        )
    )
    for approximate in (False, True):
        parts.append(made.add("GELU", [parts[1]], (), "Gelu", approximate=approximate))
    parts.append(made.add("SOFTMAX", [positive], (), "Softmax", beta=2.0))
    whole = made.add("CONCATENATION", parts, (), "Concatenation", axis=3)
    kinds = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")
    ends = [
        made.add(kind, [positive, ints(made, 1, 2)], (), "Reducer", keepDims=True) for kind in kinds
    ]
    more = made.add("MEAN", [whole, ints(made, 1, 2)], (), "Reducer", keepDims=True)
    made.add("CONCATENATION", [*ends, more], (), "Concatenation", axis=-1)
    return made


def images() -> LiteFile:
    """Return a file with convolutions, poolings, paddings and resizing of every kind."""
    made = LiteFile()
    x = made.add(
        "PADV2", [0, widths(made, 1, 1, 0, 2), made.constant(np.float32(1.5))], (), "PadV2"
    )
    x = made.add("PAD", [x, widths(made, 0, 1, 1, 0)], (), "Pad")
    for mode in range(2):
        x = made.add("MIRROR_PAD", [x, widths(made, 1, 1, 1, 1)], (), "MirrorPad", mode=mode)
    both: dict[str, Any] = {"strideH": 2, "strideW": 2, "dilationHFactor": 2, "dilationWFactor": 2}
    x = made.add("CONV_2D", [x, made.drawn(4, 3, 3, 3), made.drawn(4)], (), "Conv2D", **both)
    halves: dict[str, Any] = {
        "strideH": 1,
        "strideW": 1,
        "padding": 1,
        "fusedActivationFunction": 2,
    }
    x = made.add("CONV_2D", [x, made.drawn(6, 3, 1, 2), made.drawn(6)], (), "Conv2D", **halves)
    uneven: dict[str, Any] = {
        "strideH": 2,
        "strideW": 1,
        "depthMultiplier": 2,
        "fusedActivationFunction": 1,
    }
    kernel = made.drawn(1, 3, 3, 12)
    x = made.add("DEPTHWISE_CONV_2D", [x, kernel, made.drawn(12)], (), "DepthwiseConv2D", **uneven)
    resized: tuple[tuple[str, tuple[int, int], dict[str, Any]], ...] = (
        ("BILINEAR", (9, 7), {"halfPixelCenters": True}),
        ("BILINEAR", (6, 8), {"alignCorners": True}),
        ("BILINEAR", (7, 7), {}),
        ("NEAREST_NEIGHBOR", (6, 8), {"halfPixelCenters": True}),
        ("NEAREST_NEIGHBOR", (8, 8), {}),
    )
    for kind, size, values in resized:
        table = "ResizeBilinear" if kind == "BILINEAR" else "ResizeNearestNeighbor"
        x = made.add(f"RESIZE_{kind}", [x, ints(made, *size)], (), table, **values)
    window: dict[str, Any] = {"filterHeight": 3, "filterWidth": 2, "strideH": 1, "strideW": 2}
    x = made.add("AVERAGE_POOL_2D", [x], (), "Pool2D", **window)
    x = made.add("MAX_POOL_2D", [x], (), "Pool2D", **window)
    x = made.add("SPACE_TO_DEPTH", [x], (), "SpaceToDepth", blockSize=2)
    x = made.add("DEPTH_TO_SPACE", [x], (), "DepthToSpace", blockSize=2)
    block, none = ints(made, 2, 2), ints(made, [0, 0], [0, 0])
    x = made.add("SPACE_TO_BATCH_ND", [x, block, none], (), "SpaceToBatchND")
    x = made.add("BATCH_TO_SPACE_ND", [x, block, none], (), "BatchToSpaceND")
    made.add("MEAN", [x, ints(made, 1, 2)], (), "Reducer")
    return made


def widths(made: LiteFile, top: int, bottom: int, left: int, right: int) -> int:
    return ints(made, [0, 0], [top, bottom], [left, right], [0, 0])


def shapes() -> LiteFile:
    """Return a file with reshapes, slices, products, and shapes that are computed."""
    made = LiteFile()
    x = made.add("TRANSPOSE", [0, ints(made, 0, 3, 1, 2)], (), "Transpose")
    sides = made.add("SHAPE", [x], (), "Shape", made="INT32", outType=2)
    ends = (ints(made, 1), ints(made, 2), ints(made, 1))
    one = made.add(
        "STRIDED_SLICE", [sides, *ends], (), "StridedSlice", shrinkAxisMask=1, made="INT32"
    )
    rank = made.add("RANK", [x], (), "Rank", made="INT32")
    minus = made.constant(np.array(-1, np.int32))
    first = made.constant(np.array(1, np.int32))
    wanted = [first, one, minus]
    form = made.add("PACK", wanted, (), "Pack", valuesCount=3, axis=0, made="INT32")
    x = made.add("RESHAPE", [x, form], ())
    step = made.constant(np.array(1, np.int32))
    count = made.add("SUB", [rank, step], (), "Sub", made="INT32")
    zero = made.constant(np.array(0, np.int32))
    places = made.add("RANGE", [zero, count, step], (), "Range", made="INT32")
    x = made.add("GATHER", [x, places], (), "Gather", axis=1)
    x = made.add("REVERSE_V2", [x, ints(made, 2)], (), "ReverseV2")
    parts = made.add(
        "SPLIT", [made.constant(np.array(2, np.int32)), x], (), "Split", results=2, numSplits=2
    )
    y = made.add("BATCH_MATMUL", [parts, parts + 1], (), "BatchMatMul", adjY=True)
    z = made.add("BATCH_MATMUL", [parts, y], (), "BatchMatMul", adjX=True)
    z = made.add("SLICE", [z, ints(made, 0, 1, 0), ints(made, 1, 8, 3)], (), "Slice")
    sizes = [z, ints(made, 3, 5), made.constant(np.array(1, np.int32))]
    cut = made.add("SPLIT_V", sizes, (), "SplitV", results=2, numSplits=2)
    z = made.add("CONCATENATION", [cut + 1, cut], (), "Concatenation", axis=1)
    whole = (ints(made, 0, 1, 0), ints(made, 1, 8, 3), ints(made, 1, 2, 1))
    z = made.add("STRIDED_SLICE", [z, *whole], (), "StridedSlice", endMask=4)
    rows = made.add("UNPACK", [z], (), "Unpack", results=4, num=4, axis=1)
    z = made.add("PACK", [rows + 2, rows, rows + 3], (), "Pack", valuesCount=3, axis=1)
    z = made.add("EXPAND_DIMS", [z, ints(made, -1)], (), "ExpandDims")
    z = made.add("TILE", [z, ints(made, 1, 1, 1, 2)], (), "Tile")
    z = made.add("BROADCAST_TO", [z, ints(made, 1, 3, 3, 2)], (), "BroadcastTo", version=2)
    filled = made.add("FILL", [ints(made, 1, 3, 3, 2), made.constant(np.float32(0.5))], (), "Fill")
    z = made.add("ADD", [z, filled], (), "Add")
    z = made.add(
        "FULLY_CONNECTED", [z, made.drawn(4, 2), -1], (), "FullyConnected", keepNumDims=True
    )
    z = made.add("SUM", [z, ints(made, 1)], (), "Reducer", keepDims=True)
    z = made.add("SQUEEZE", [z], (), "Squeeze", squeezeDims=[1])
    z = made.add("RESHAPE", [z], (), "Reshape", newShape=[1, -1])
    made.add("FULLY_CONNECTED", [z, made.drawn(5, 12), made.drawn(5)], (), "FullyConnected")
    return made


MADE = {"elements": elements, "images": images, "shapes": shapes}


@pytest.mark.parametrize("kind", MADE)
def test_operators_give_the_interpreters_numbers(kind: str, tmp_path: Path) -> None:
    """The comparison with the interpreter is a part of reading; without it, this cannot pass."""
    path = tmp_path / "m.tflite"
    path.write_bytes(MADE[kind]().to_bytes())
    tflite_model.export(path, tmp_path / "out")
    loaded = tensorflow.load().saved_model.load(str(tmp_path / "out"))
    (scores,) = loaded.signatures["serving_default"].structured_outputs.values()
    assert scores.shape[0] is None  # any number of photos


def test_each_operator_that_is_read_is_tried() -> None:
    names = {number: name for name, number in vars(schema().BuiltinOperator).items()}
    tried = {names[code.builtinCode] for make in MADE.values() for code in make().codes}
    # Those that only move between integers and floats are tried on converted files.
    assert set(tflite_operators.OPERATORS) - tried == {"QUANTIZE", "DEQUANTIZE"}


@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED", "MEAN"])
def test_a_layer_that_is_computed_otherwise_is_found(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pixel or channel aside: the scores alone may not show that, the layer does."""
    right = tflite_operators.OPERATORS[kind]

    def wrong(call: Any) -> Any:
        return tensorflow.load().roll(right(call), 1, -1)

    monkeypatch.setitem(tflite_operators.OPERATORS, kind, wrong)
    path = tmp_path / "m.tflite"
    path.write_bytes(small().to_bytes())
    with pytest.raises(BadInputError, match=rf"its operator {kind} \(.*has here numbers that are"):
        tflite_model.export(path, tmp_path / "out")
