"""Computes ONNX' operators that work on each number, and those that reduce axes."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import UnsupportedError
from toolchain.formats.onnx_value import (
    Attributes,
    Inputs,
    Value,
    check_size,
    integers,
    kind_of,
    need,
    number,
    plain,
    reshaped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.formats.onnx_value import Operator

    Computed = Callable[[Any, Any, Attributes], Any]

_LIMIT = 3.0e38  # beyond it, a limit is none
_SQUARE = 2
_HALVES = (10, 16)  # TensorProto.DataType: float16 and bfloat16, computed as float32
_FLOAT, _DOUBLE, _BOOL = 1, 11, 9


def aligned(values: list[Value]) -> tuple[list[Any], tuple[int, ...]]:
    """Return tensors for an operation by element, and how their axes are stored.

    Known numbers get the type of those that are not known: ONNX has one type in a place where
    halves and doubles became float32 here.
    """
    rank = max(len(value.axes) for value in values)
    widest = [value for value in values if len(value.axes) == rank]
    axes = next((value.axes for value in widest if not value.known), widest[0].axes)
    kinds = [value.stored.dtype for value in values if not value.known]
    floats = [kind.as_numpy_dtype for kind in kinds if kind.is_floating]
    found = []
    for value in values:
        missing = rank - len(value.axes)
        wide = reshaped(value, [1] * missing + list(value.shape)) if missing else value
        tensor = wide.ordered(axes)
        if floats and value.known and np.issubdtype(tensor.dtype, np.floating):
            tensor = tensor.astype(floats[0])
        found.append(tensor)
    return found, axes


def _together(values: list[Value]) -> tuple[list[Any], tuple[int, ...]]:
    """Return tensors that an operation by element takes, after a look at the result's size."""
    check_size(np.broadcast_shapes(*(value.shape for value in values)))
    return aligned(values)


def _by_element(function: Callable[[Any, list[Any]], Any]) -> Operator:
    def compute(inputs: Inputs, _: Attributes) -> Value:
        tensors, axes = _together([value for value in inputs if value is not None])
        return Value(function(tensorflow.load(), tensors), axes)

    return compute


def _pair(named: str) -> Operator:
    """Return an operator of two tensors, or of any number of them in a row."""

    def compute(tf: Any, tensors: list[Any]) -> Any:
        function = tf
        for part in named.split("."):
            function = getattr(function, part)
        return reduce(function, tensors) if len(tensors) > 1 else tensors[0]

    return _by_element(compute)


def _divide(tf: Any, tensors: list[Any]) -> Any:
    a, b = tensors
    return tf.truncatediv(a, b) if np.issubdtype(kind_of(a), np.integer) else tf.divide(a, b)


def _mod(inputs: Inputs, attributes: Attributes) -> Value:
    tensors, axes = _together([need(inputs, 0), need(inputs, 1)])
    tf = tensorflow.load()
    function = tf.truncatemod if attributes.get("fmod") else tf.math.floormod
    return Value(function(*tensors), axes)


def _power(inputs: Inputs, _: Attributes) -> Value:
    tf, value, exponent = tensorflow.load(), need(inputs, 0), need(inputs, 1)
    if exponent.known and exponent.stored.size == 1 and exponent.stored.reshape(-1)[0] == _SQUARE:
        return Value(squared(tf, value.stored), value.axes)
    exponent = Value(tf.cast(exponent.stored, kind_of(value.stored)), exponent.axes)
    tensors, axes = _together([value, exponent])
    return Value(tf.pow(*tensors), axes)


def squared(tf: Any, x: Any) -> Any:
    """Return the squares of numbers, not as `Square`, which joins with other operations less."""
    return tf.math.squared_difference(x, np.zeros((), kind_of(x)))


def _unary(function: Computed) -> Operator:
    def compute(inputs: Inputs, attributes: Attributes) -> Value:
        value = need(inputs, 0)
        return Value(function(tensorflow.load(), value.stored, attributes), value.axes)

    return compute


def _plain_unary(named: str) -> Operator:
    return _unary(lambda tf, x, _: getattr(tf.math, named)(x))


def _hard_sigmoid(tf: Any, x: Any, attributes: Attributes) -> Any:
    alpha, beta = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    if np.allclose((alpha, beta), (1 / 6, 0.5)):  # as PyTorch has it
        return tf.nn.relu6(x + 3.0) * np.float32(1 / 6)
    return tf.clip_by_value(x * np.float32(alpha) + np.float32(beta), 0.0, 1.0)


def _gelu(tf: Any, x: Any, attributes: Attributes) -> Any:
    return tf.nn.gelu(x, approximate=attributes.get("approximate", b"none") == b"tanh")


def _selu(tf: Any, x: Any, attributes: Attributes) -> Any:
    alpha = np.float32(attributes.get("alpha", 1.67326319217681884765625))
    gamma = np.float32(attributes.get("gamma", 1.05070102214813232421875))
    return gamma * _elu(tf, x, {"alpha": alpha})


def _elu(tf: Any, x: Any, attributes: Attributes) -> Any:
    if (alpha := attributes.get("alpha", 1.0)) == 1:
        return tf.nn.elu(x)
    return tf.nn.relu(x) + np.float32(alpha) * tf.nn.elu(tf.minimum(x, np.float32(0)))


def _celu(tf: Any, x: Any, attributes: Attributes) -> Any:
    alpha = np.float32(attributes.get("alpha", 1.0))
    return tf.nn.relu(x) + alpha * tf.nn.elu(tf.minimum(x, np.float32(0)) / alpha)


def _shrunk(tf: Any, x: Any, attributes: Attributes) -> Any:
    """Compute ThresholdedRelu."""
    return x * tf.cast(x > np.float32(attributes.get("alpha", 1.0)), "float32")


def _prelu(inputs: Inputs, _: Attributes) -> Value:
    tf = tensorflow.load()
    (x, slope), axes = _together([need(inputs, 0), need(inputs, 1)])
    return Value(tf.nn.relu(x) + (-slope) * tf.nn.relu(-x), axes)


def _clip(inputs: Inputs, attributes: Attributes) -> Value:
    tf, value = tensorflow.load(), need(inputs, 0)
    low = number(inputs, 1, attributes.get("min"))
    high = number(inputs, 2, attributes.get("max"))
    low = None if low is None or low < -_LIMIT else low
    high = None if high is None or high > _LIMIT else high
    if value.known:
        if low is None and high is None:
            return value
        return Value(value.stored.clip(low, high).astype(value.stored.dtype), value.axes)
    tensor = value.stored
    if (low, high) == (0.0, 6.0):
        tensor = tf.nn.relu6(tensor)
    elif low is not None and high is not None:
        tensor = tf.clip_by_value(tensor, low, high)
    elif low is not None:
        tensor = tf.nn.relu(tensor) if low == 0 else tf.maximum(tensor, np.float32(low))
    elif high is not None:
        tensor = tf.minimum(tensor, np.float32(high))
    return Value(tensor, value.axes)


def _cast(inputs: Inputs, attributes: Attributes) -> Value:
    from onnx import helper

    tf, value, wanted = tensorflow.load(), need(inputs, 0), attributes["to"]
    if wanted in _HALVES or (wanted == _DOUBLE and not value.known):
        wanted = _FLOAT
    try:
        kind = np.dtype(helper.tensor_dtype_to_np_dtype(wanted))
    except (KeyError, TypeError) as error:
        raise UnsupportedError("a Cast to an unusual type") from error
    if kind.kind not in "fiub":
        raise UnsupportedError("a Cast to an unusual type")
    if value.known:
        return Value(value.stored.astype(kind), value.axes)
    if wanted == _BOOL:
        # Not a cast: TF.js' WebAssembly backend gets that wrong.
        zero = np.zeros((), kind_of(value.stored))
        return Value(tf.not_equal(value.stored, zero), value.axes)
    kind = np.dtype(np.int32) if kind.kind in "iu" else kind
    same = kind == kind_of(value.stored)
    return Value(value.stored if same else tf.cast(value.stored, kind), value.axes)


def _cast_like(inputs: Inputs, _: Attributes) -> Value:
    value, kind = need(inputs, 0), kind_of(need(inputs, 1).stored)
    if value.known:
        return Value(value.stored.astype(kind), value.axes)
    return Value(tensorflow.load().cast(value.stored, kind), value.axes)


def _where(inputs: Inputs, _: Attributes) -> Value:
    values = [need(inputs, at) for at in range(3)]
    tensors, axes = _together(values)
    return Value(tensorflow.load().where(*tensors), axes)


def _reduce(named: str, before: Computed | None = None, after: Computed | None = None) -> Operator:
    def compute(inputs: Inputs, attributes: Attributes) -> Value:
        tf, value = tensorflow.load(), need(inputs, 0)
        axes = integers(inputs, 1, attributes.get("axes"))
        if not axes and attributes.get("noop_with_empty_axes"):
            return value
        axes = [value.axis(axis) for axis in axes or value.axes_in_order]
        tensor = value.stored if before is None else before(tf, value.stored, attributes)
        made = getattr(tf, named)(tensor, [value.at(axis) for axis in axes], keepdims=True)
        made = made if after is None else after(tf, made, attributes)
        kept = Value(made, value.axes)
        if attributes.get("keepdims", 1):
            return kept
        left = [side for axis, side in enumerate(kept.shape) if axis not in axes]
        return reshaped(kept, left)

    return compute


def _sum_up(inputs: Inputs, attributes: Attributes) -> Value:
    value, axis = need(inputs, 0), int(number(inputs, 1) or 0)
    made = tensorflow.load().cumsum(
        value.stored,
        value.at(axis),
        exclusive=bool(attributes.get("exclusive")),
        reverse=bool(attributes.get("reverse")),
    )
    return Value(made, value.axes)


def _largest(named: str) -> Operator:
    def compute(inputs: Inputs, attributes: Attributes) -> Value:
        value, axis = need(inputs, 0), attributes.get("axis", 0)
        if attributes.get("select_last_index"):
            raise UnsupportedError("an ArgMax that selects the last of equal numbers")
        made = plain(getattr(tensorflow.load(), named)(value.ordered(), value.axis(axis)))
        if not attributes.get("keepdims", 1):
            return made
        sides = list(value.shape)
        sides[value.axis(axis)] = 1
        return reshaped(made, sides)

    return compute


def _same_value(inputs: Inputs, _: Attributes) -> Value:
    return need(inputs, 0)


def _in_training(inputs: Inputs, _: Attributes) -> Value:
    """Compute Dropout, which does nothing unless it is told that it trains."""
    if number(inputs, 2):
        raise UnsupportedError("a Dropout that trains; call model.eval() before the export")
    return need(inputs, 0)


OPERATORS: dict[str, Operator] = {
    "Add": _pair("add"),
    "Sub": _pair("subtract"),
    "Mul": _pair("multiply"),
    "Div": _by_element(_divide),
    "Mod": _mod,
    "Pow": _power,
    "Min": _pair("minimum"),
    "Max": _pair("maximum"),
    "Sum": _pair("add"),
    "Mean": _by_element(lambda tf, each: reduce(tf.add, each) * np.float32(1 / len(each))),
    "Equal": _pair("equal"),
    "Less": _pair("less"),
    "LessOrEqual": _pair("less_equal"),
    "Greater": _pair("greater"),
    "GreaterOrEqual": _pair("greater_equal"),
    "And": _pair("logical_and"),
    "Or": _pair("logical_or"),
    "Not": _plain_unary("logical_not"),
    "Where": _where,
    "IsNaN": _plain_unary("is_nan"),
    "Relu": _unary(lambda tf, x, _: tf.nn.relu(x)),
    "LeakyRelu": _unary(lambda tf, x, given: tf.nn.leaky_relu(x, given.get("alpha", 0.01))),
    "PRelu": _prelu,
    "ThresholdedRelu": _unary(_shrunk),
    "Sigmoid": _plain_unary("sigmoid"),
    "HardSigmoid": _unary(_hard_sigmoid),
    "HardSwish": _unary(lambda tf, x, _: x * (tf.nn.relu6(x + 3.0) * np.float32(1 / 6))),
    "Swish": _unary(lambda tf, x, given: x * tf.sigmoid(x * np.float32(given.get("alpha", 1.0)))),
    "Elu": _unary(_elu),
    "Selu": _unary(_selu),
    "Celu": _unary(_celu),
    "Gelu": _unary(_gelu),
    "Mish": _unary(lambda tf, x, _: x * tf.tanh(tf.math.softplus(x))),
    "Softplus": _plain_unary("softplus"),
    "Softsign": _unary(lambda tf, x, _: x / (1.0 + tf.abs(x))),
    "Tanh": _plain_unary("tanh"),
    "Erf": _plain_unary("erf"),
    "Sqrt": _plain_unary("sqrt"),
    "Exp": _plain_unary("exp"),
    "Log": _plain_unary("log"),
    "Neg": _plain_unary("negative"),
    "Abs": _plain_unary("abs"),
    "Sign": _plain_unary("sign"),
    "Floor": _plain_unary("floor"),
    "Ceil": _plain_unary("ceil"),
    "Round": _plain_unary("round"),
    "Sin": _plain_unary("sin"),
    "Cos": _plain_unary("cos"),
    "Reciprocal": _unary(lambda _, x, __: 1.0 / x),
    "Clip": _clip,
    "Cast": _cast,
    "CastLike": _cast_like,
    "ReduceMean": _reduce("reduce_mean"),
    "ReduceSum": _reduce("reduce_sum"),
    "ReduceMax": _reduce("reduce_max"),
    "ReduceMin": _reduce("reduce_min"),
    "ReduceProd": _reduce("reduce_prod"),
    "ReduceL1": _reduce("reduce_sum", lambda tf, x, _: tf.abs(x)),
    "ReduceL2": _reduce("reduce_sum", lambda tf, x, _: squared(tf, x), lambda tf, x, _: tf.sqrt(x)),
    "ReduceSumSquare": _reduce("reduce_sum", lambda tf, x, _: squared(tf, x)),
    "ReduceLogSumExp": _reduce(
        "reduce_sum", lambda tf, x, _: tf.exp(x), lambda tf, x, _: tf.math.log(x)
    ),
    "CumSum": _sum_up,
    "ArgMax": _largest("argmax"),
    "ArgMin": _largest("argmin"),
    "Identity": _same_value,
    "Dropout": _in_training,
}
