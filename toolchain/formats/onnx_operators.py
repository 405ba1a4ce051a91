"""Computes ONNX operators with TensorFlow.

The operators are those of ONNX' default domain, as its versions 11 to 21 define them.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats import onnx_images
from toolchain.formats.onnx_value import (
    MOST_NUMBERS,
    Attributes,
    Inputs,
    UnsupportedError,
    Value,
    need,
    plain,
    reshaped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_SQUARE = 2


def _numbers(inputs: Inputs, index: int, given: Any = None) -> list[int] | None:
    """Return integers from an input that must be known, or from an attribute; None if absent."""
    if index >= len(inputs) or inputs[index] is None:
        return None if given is None else [int(number) for number in given]
    value = need(inputs, index)
    if not value.known:
        raise UnsupportedError("a shape or axes that depend on the photo")
    return [int(number) for number in value.ordered().reshape(-1)]


def _aligned(values: list[Value]) -> tuple[list[Any], tuple[int, ...]]:
    """Return tensors for an operation by element, and how their axes are stored."""
    rank = max(len(value.axes) for value in values)
    widest = [value for value in values if len(value.axes) == rank]
    axes = next((value.axes for value in widest if not value.known), widest[0].axes)
    found = []
    for value in values:
        missing = rank - len(value.axes)
        if not missing:
            found.append(value.ordered(axes))
            continue
        tensor = value.ordered()
        wider = tensor[(None,) * missing]
        found.append(plain(wider).ordered(axes))
    return found, axes


def _by_element(in_numpy: Callable[..., Any], named: str) -> Callable[[Inputs, Attributes], Value]:
    def compute(inputs: Inputs, _: Attributes) -> Value:
        values = [value for value in inputs if value is not None]
        tensors, axes = _aligned(values)
        if all(value.known for value in values):
            made = np.asarray(in_numpy(*tensors))
            return Value(made.astype(tensors[0].dtype, copy=False), axes)
        function: Any = tensorflow.load()
        for part in named.split("."):
            function = getattr(function, part)
        return Value(function(*tensors), axes)

    return compute


def _divide(a: Any, b: Any) -> Any:
    return a // b if np.issubdtype(a.dtype, np.integer) else a / b


def _power(inputs: Inputs, attributes: Attributes) -> Value:
    value, exponent = need(inputs, 0), need(inputs, 1)
    if exponent.known and exponent.stored.size == 1 and exponent.stored.reshape(-1)[0] == _SQUARE:
        squared = tensorflow.load().math.squared_difference(value.stored, np.float32(0))
        return Value(squared, value.axes)
    return _by_element(np.power, "pow")(inputs, attributes)


def _unary(
    function: Callable[[Any, Any, Attributes], Any],
) -> Callable[[Inputs, Attributes], Value]:
    def compute(inputs: Inputs, attributes: Attributes) -> Value:
        value = need(inputs, 0)
        return Value(function(tensorflow.load(), value.stored, attributes), value.axes)

    return compute


def _hard_sigmoid(tf: Any, x: Any, attributes: Attributes) -> Any:
    alpha, beta = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    if np.allclose((alpha, beta), (1 / 6, 0.5)):  # as PyTorch has it
        return tf.nn.relu6(x + 3.0) * np.float32(1 / 6)
    return tf.clip_by_value(x * np.float32(alpha) + np.float32(beta), 0.0, 1.0)


def _gelu(tf: Any, x: Any, attributes: Attributes) -> Any:
    return tf.nn.gelu(x, approximate=attributes.get("approximate", b"none") == b"tanh")


def _clip(inputs: Inputs, attributes: Attributes) -> Value:
    tf, value = tensorflow.load(), need(inputs, 0)
    limits = []
    for index, key in ((1, "min"), (2, "max")):
        given = inputs[index] if index < len(inputs) else None
        if given is not None and not given.known:
            raise UnsupportedError("a Clip whose limits depend on the photo")
        limits.append(attributes.get(key) if given is None else float(given.stored.reshape(-1)[0]))
    low, high = limits
    tensor = value.stored
    if (low, high) == (0.0, 6.0):
        tensor = tf.nn.relu6(tensor)
    elif low is not None and high is not None:
        tensor = tf.clip_by_value(tensor, low, high)
    elif low is not None:
        tensor = tf.nn.relu(tensor) if low == 0 else tf.maximum(tensor, low)
    elif high is not None:
        tensor = tf.minimum(tensor, high)
    return Value(tensor, value.axes)


def _reduce(named: str) -> Callable[[Inputs, Attributes], Value]:
    def compute(inputs: Inputs, attributes: Attributes) -> Value:
        value = need(inputs, 0)
        axes = _numbers(inputs, 1, attributes.get("axes")) or list(value.axes_in_order)
        at = [value.at(axis) for axis in axes]
        made = getattr(tensorflow.load(), named)(value.stored, at, keepdims=True)
        kept = Value(made, value.axes)
        return kept if attributes.get("keepdims", 1) else _without(kept, axes)

    return compute


def _without(value: Value, axes: list[int]) -> Value:
    """Return a tensor without axes of length one."""
    gone = sorted(axis % len(value.axes) for axis in axes)
    if any(value.shape[axis] != 1 for axis in gone):
        raise UnsupportedError("a Squeeze of an axis that is longer than one")
    left = [axis for axis in value.axes if axis not in gone]
    renamed = tuple(sorted(left).index(axis) for axis in left)
    return Value(_dropped(value, left), renamed)


def _dropped(value: Value, left: list[int]) -> Any:
    """Return the stored tensor without the axes that are not among those left."""
    cut = tuple(slice(None) if axis in left else 0 for axis in value.axes)
    return value.stored[cut]


def _squeeze(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    axes = _numbers(inputs, 1, attributes.get("axes"))
    ones = [axis for axis, side in enumerate(value.shape) if side == 1]
    return _without(value, ones if axes is None else axes)


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    axes = _numbers(inputs, 1, attributes.get("axes")) or []
    rank = len(value.axes) + len(axes)
    new = {axis % rank for axis in axes}
    sides = iter(value.shape)
    shape = [1 if axis in new else next(sides) for axis in range(rank)]
    return plain(reshaped(value.ordered(), shape))


def _reshape(inputs: Inputs, attributes: Attributes) -> Value:
    value, shape = need(inputs, 0), _numbers(inputs, 1) or []
    if not attributes.get("allowzero"):
        shape = [value.shape[at] if side == 0 else side for at, side in enumerate(shape)]
    return plain(reshaped(value.ordered(), shape))


def _flatten(inputs: Inputs, attributes: Attributes) -> Value:
    value, axis = need(inputs, 0), attributes.get("axis", 1)
    axis = axis % len(value.axes) if axis < 0 else axis
    return plain(reshaped(value.ordered(), [prod(value.shape[:axis]), -1]))


def _transpose(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    order = list(attributes.get("perm", reversed(value.axes_in_order)))
    if sorted(order) != list(value.axes_in_order):
        raise UnsupportedError("a Transpose whose order does not fit its input")
    return Value(value.stored, tuple(order.index(axis) for axis in value.axes))


def _concat(inputs: Inputs, attributes: Attributes) -> Value:
    values = [value for value in inputs if value is not None]
    if len({len(value.axes) for value in values}) != 1:
        raise UnsupportedError("a Concat of tensors of different ranks")
    tensors, axes = _aligned(values)
    at = Value(tensors[0], axes).at(attributes["axis"])
    if all(value.known for value in values):
        return Value(np.concatenate(tensors, at), axes)
    whole = next(tensor for tensor in tensors if not isinstance(tensor, np.ndarray))
    one = tuple(slice(0, 1) if axis == at else slice(None) for axis in range(len(axes)))
    # A class token is the same for each photo: it is repeated for as many as there are.
    tensors = [
        whole[one] * 0.0 + each if isinstance(each, np.ndarray) else each for each in tensors
    ]
    return Value(tensorflow.load().concat(tensors, at), axes)


def _slice(inputs: Inputs, _: Attributes) -> Value:
    value = need(inputs, 0)
    starts, ends = _numbers(inputs, 1) or [], _numbers(inputs, 2) or []
    axes = _numbers(inputs, 3) or list(range(len(starts)))
    steps = _numbers(inputs, 4) or [1] * len(starts)
    cut = [slice(None)] * len(value.axes)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise UnsupportedError("a Slice that goes backwards")
        first, last, _step = slice(start, end, step).indices(value.shape[axis])
        cut[value.at(axis)] = slice(first, last, step)
    return Value(value.stored[tuple(cut)], value.axes)


def _gather(inputs: Inputs, attributes: Attributes) -> Value:
    value, index = need(inputs, 0), need(inputs, 1)
    if not index.known:
        raise UnsupportedError("a Gather whose places depend on the photo")
    axis = attributes.get("axis", 0) % len(value.axes)
    places = index.ordered() % value.shape[axis]
    if value.known:
        return plain(np.asarray(np.take(value.ordered(), places, axis)))
    if places.size != 1:
        return plain(tensorflow.load().gather(value.ordered(), places, axis=axis))
    cut = [slice(None)] * len(value.axes)
    cut[value.at(axis)] = slice(int(places.reshape(-1)[0]), int(places.reshape(-1)[0]) + 1)
    one = Value(value.stored[tuple(cut)], value.axes)
    return one if index.axes else _without(one, [axis])


def _matmul(inputs: Inputs, _: Attributes) -> Value:
    return plain(tensorflow.load().matmul(need(inputs, 0).ordered(), need(inputs, 1).ordered()))


def _gemm(inputs: Inputs, attributes: Attributes) -> Value:
    tf, a, b = tensorflow.load(), need(inputs, 0).ordered(), need(inputs, 1).ordered()
    if attributes.get("transB") and isinstance(b, np.ndarray):
        b, attributes = np.ascontiguousarray(b.T), {**attributes, "transB": 0}
    made = tf.matmul(
        a, b, transpose_a=bool(attributes.get("transA")), transpose_b=bool(attributes.get("transB"))
    )
    if (alpha := attributes.get("alpha", 1.0)) != 1:
        made = made * np.float32(alpha)
    bias = (*inputs, None, None)[2]
    if bias is not None:
        made = made + (bias.ordered() * np.float32(attributes.get("beta", 1.0)))
    return plain(made)


def _normalise_batch(inputs: Inputs, attributes: Attributes) -> Value:
    image = need(inputs, 0)
    if not all(value is not None and value.known for value in inputs[1:5]):
        raise UnsupportedError("a BatchNormalization without fixed statistics")
    scale, offset, mean, variance = (need(inputs, index).stored for index in range(1, 5))
    factor = scale / np.sqrt(variance + np.float32(attributes.get("epsilon", 1e-5)))
    shape = [1] * len(image.axes)
    shape[image.at(1)] = -1
    added = (offset - mean * factor).reshape(shape)
    return Value(image.stored * factor.reshape(shape) + added, image.axes)


def _normalise_layer(inputs: Inputs, attributes: Attributes) -> Value:
    tf, value = tensorflow.load(), need(inputs, 0)
    axis = attributes.get("axis", -1) % len(value.axes)
    at = [value.at(each) for each in range(axis, len(value.axes))]
    mean = tf.reduce_mean(value.stored, at, keepdims=True)
    # Not a product of one tensor with itself, which would become `Square`: TF.js' WebAssembly
    # backend does not have it.
    spread = tf.reduce_mean(tf.math.squared_difference(value.stored, mean), at, keepdims=True)
    centred = value.stored - mean
    made = Value(centred * tf.math.rsqrt(spread + attributes.get("epsilon", 1e-5)), value.axes)
    for index, function in ((1, OPERATORS["Mul"]), (2, OPERATORS["Add"])):
        if index < len(inputs) and inputs[index] is not None:
            made = function([made, inputs[index]], {})
    return made


def _softmax(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    made = tensorflow.load().nn.softmax(value.stored, axis=value.at(attributes.get("axis", -1)))
    return Value(made, value.axes)


def _shape(inputs: Inputs, attributes: Attributes) -> Value:
    shape = np.asarray(need(inputs, 0).shape, np.int64)
    return plain(shape[attributes.get("start", 0) : attributes.get("end", len(shape))])


def _cast(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    if value.known:
        kinds = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16}
        if attributes["to"] not in kinds:
            raise UnsupportedError("a Cast to an unusual type")
        return Value(value.stored.astype(kinds[attributes["to"]]), value.axes)
    if attributes["to"] != 1:
        raise UnsupportedError("a Cast of the photo's numbers to another type than float")
    return Value(tensorflow.load().cast(value.stored, "float32"), value.axes)


def _expand(inputs: Inputs, _: Attributes) -> Value:
    value, shape = need(inputs, 0), _numbers(inputs, 1) or []
    if any(side < 0 for side in shape) or prod(shape) > MOST_NUMBERS:
        raise UnsupportedError(f"a tensor of the shape {shape}")
    if value.known:
        both = np.broadcast_shapes(value.shape, tuple(shape))
        return plain(np.broadcast_to(value.ordered(), both).copy())
    both = np.broadcast_shapes(value.shape, tuple(shape))
    return plain(value.ordered() * np.ones(both, np.float32))


def _same_value(inputs: Inputs, _: Attributes) -> Value:
    return need(inputs, 0)


OPERATORS: dict[str, Callable[[Inputs, Attributes], Value]] = {
    "Add": _by_element(np.add, "add"),
    "Sub": _by_element(np.subtract, "subtract"),
    "Mul": _by_element(np.multiply, "multiply"),
    "Div": _by_element(_divide, "divide"),
    "Pow": _power,
    "Relu": _unary(lambda tf, x, _: tf.nn.relu(x)),
    "LeakyRelu": _unary(lambda tf, x, given: tf.nn.leaky_relu(x, given.get("alpha", 0.01))),
    "Sigmoid": _unary(lambda tf, x, _: tf.sigmoid(x)),
    "HardSigmoid": _unary(_hard_sigmoid),
    "HardSwish": _unary(lambda tf, x, _: x * tf.nn.relu6(x + 3.0) * np.float32(1 / 6)),
    "Tanh": _unary(lambda tf, x, _: tf.tanh(x)),
    "Erf": _unary(lambda tf, x, _: tf.math.erf(x)),
    "Gelu": _unary(_gelu),
    "Sqrt": _unary(lambda tf, x, _: tf.sqrt(x)),
    "Exp": _unary(lambda tf, x, _: tf.exp(x)),
    "Neg": _unary(lambda tf, x, _: tf.negative(x)),
    "Abs": _unary(lambda tf, x, _: tf.abs(x)),
    "Reciprocal": _unary(lambda _, x, __: 1.0 / x),
    "Clip": _clip,
    "Conv": onnx_images.conv,
    "MaxPool": onnx_images.pool("MAX"),
    "AveragePool": onnx_images.pool("AVG"),
    "GlobalAveragePool": onnx_images.global_average,
    "ReduceMean": _reduce("reduce_mean"),
    "ReduceSum": _reduce("reduce_sum"),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Concat": _concat,
    "Slice": _slice,
    "Gather": _gather,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "BatchNormalization": _normalise_batch,
    "LayerNormalization": _normalise_layer,
    "Softmax": _softmax,
    "Shape": _shape,
    "Cast": _cast,
    "Expand": _expand,
    "Identity": _same_value,
    "Dropout": _same_value,
}
"""The functions that compute operators, by name. Each takes the inputs, None for those left out,
and the attributes, and returns the first output."""
