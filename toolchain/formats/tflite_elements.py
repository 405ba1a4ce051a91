"""Computes TFLite's operators that work on single numbers, and sums over axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import UnsupportedError
from toolchain.formats.tflite_file import KINDS

if TYPE_CHECKING:
    from toolchain.formats.tflite_call import Call, Operator


def _by_one(*path: str) -> Operator:
    """Return an operator of one input that TensorFlow has under this name."""

    def compute(call: Call) -> Any:
        return _function(path)(call.need(0))

    return compute


def _by_two(*path: str) -> Operator:
    """Return an operator of two inputs, with an activation, that TensorFlow has."""

    def compute(call: Call) -> Any:
        return call.activated(_function(path)(call.need(0), call.need(1)))

    return compute


def _function(path: tuple[str, ...]) -> Any:
    found = tensorflow.load()
    for name in path:
        found = getattr(found, name)
    return found


def _swish(call: Call) -> Any:
    """Compute HARD_SWISH."""
    value = call.need(0)
    return value * (tensorflow.load().nn.relu6(value + np.float32(3)) * np.float32(1 / 6))


def _leaky(call: Call) -> Any:
    return tensorflow.load().nn.leaky_relu(call.need(0), call.option("Alpha"))


def _parametric(call: Call) -> Any:
    """Compute PRELU: negative numbers times those of the second input."""
    tf, value = tensorflow.load(), call.need(0)
    return tf.nn.relu(value) - tf.nn.relu(-value) * call.need(1)


def _gelu(call: Call) -> Any:
    return tensorflow.load().nn.gelu(call.need(0), approximate=bool(call.option("Approximate")))


def _clipped(call: Call) -> Any:
    return tensorflow.load().clip_by_value(call.need(0), -1.0, 1.0)


def _clipped_to_one(call: Call) -> Any:
    return tensorflow.load().clip_by_value(call.need(0), 0.0, 1.0)


def _cast(call: Call) -> Any:
    kind = call.results[0].kind
    if kind not in KINDS or kind == "FLOAT16":
        raise UnsupportedError(f"a CAST to {kind}")
    if call.results[0].steps is not None:
        raise UnsupportedError("a CAST to integers that stand for other numbers")
    return tensorflow.load().cast(call.need(0), np.dtype(KINDS[kind]).newbyteorder("=").name)


def _selected(call: Call) -> Any:
    return tensorflow.load().where(call.need(0), call.need(1), call.need(2))


def _over_axes(name: str) -> Operator:
    """Return an operator that makes one number of all along some axes."""

    def compute(call: Call) -> Any:
        function = getattr(tensorflow.load(), name)
        return function(call.need(0), call.integers(1), keepdims=bool(call.option("KeepDims")))

    return compute


def _same(call: Call) -> Any:
    """Return what QUANTIZE and DEQUANTIZE mean: the same numbers."""
    return tensorflow.load().identity(call.need(0))


OPERATORS: dict[str, Operator] = {
    "QUANTIZE": _same,
    "DEQUANTIZE": _same,
    "CAST": _cast,
    "ADD": _by_two("add"),
    "SUB": _by_two("subtract"),
    "MUL": _by_two("multiply"),
    "DIV": _by_two("divide"),
    "POW": _by_two("pow"),
    "MAXIMUM": _by_two("maximum"),
    "MINIMUM": _by_two("minimum"),
    "SQUARED_DIFFERENCE": _by_two("math", "squared_difference"),
    "FLOOR_DIV": _by_two("math", "floordiv"),
    "FLOOR_MOD": _by_two("math", "floormod"),
    "EQUAL": _by_two("equal"),
    "NOT_EQUAL": _by_two("not_equal"),
    "GREATER": _by_two("greater"),
    "GREATER_EQUAL": _by_two("greater_equal"),
    "LESS": _by_two("less"),
    "LESS_EQUAL": _by_two("less_equal"),
    "LOGICAL_AND": _by_two("logical_and"),
    "LOGICAL_OR": _by_two("logical_or"),
    "LOGICAL_NOT": _by_one("logical_not"),
    "SELECT": _selected,
    "SELECT_V2": _selected,
    "RELU": _by_one("nn", "relu"),
    "RELU6": _by_one("nn", "relu6"),
    "RELU_N1_TO_1": _clipped,
    "RELU_0_TO_1": _clipped_to_one,
    "LEAKY_RELU": _leaky,
    "PRELU": _parametric,
    "ELU": _by_one("nn", "elu"),
    "GELU": _gelu,
    "HARD_SWISH": _swish,
    "LOGISTIC": _by_one("sigmoid"),
    "TANH": _by_one("tanh"),
    "ABS": _by_one("abs"),
    "NEG": _by_one("negative"),
    "EXP": _by_one("exp"),
    "LOG": _by_one("math", "log"),
    "SQRT": _by_one("sqrt"),
    "RSQRT": _by_one("math", "rsqrt"),
    "SQUARE": _by_one("square"),
    "FLOOR": _by_one("floor"),
    "CEIL": _by_one("math", "ceil"),
    "ROUND": _by_one("round"),
    "SIN": _by_one("sin"),
    "COS": _by_one("cos"),
    "MEAN": _over_axes("reduce_mean"),
    "SUM": _over_axes("reduce_sum"),
    "REDUCE_MAX": _over_axes("reduce_max"),
    "REDUCE_MIN": _over_axes("reduce_min"),
    "REDUCE_PROD": _over_axes("reduce_prod"),
}
"""The functions that compute operators, by name."""
