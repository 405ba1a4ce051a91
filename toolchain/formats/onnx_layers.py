"""Computes ONNX' matrix products, normalisations, attention and resizing."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import UnsupportedError
from toolchain.formats.onnx_elements import OPERATORS as _ELEMENTS
from toolchain.formats.onnx_elements import squared
from toolchain.formats.onnx_shapes import taken, transposed
from toolchain.formats.onnx_value import (
    Attributes,
    Inputs,
    Value,
    check_size,
    integers,
    kind_of,
    need,
    optional,
    plain,
    reshaped,
)

if TYPE_CHECKING:
    from toolchain.formats.onnx_value import Operator

_MATRIX = 2  # axes
_SOFTMAX_BY_AXIS = 13  # the version from which a softmax is of one axis
_GROUPS_BY_CHANNEL = 21  # the version from which each channel has a scale of its own


class QuantisedError(UnsupportedError):
    """The graph rounds the numbers of the photo, as quantised networks do."""

    def __init__(self) -> None:
        super().__init__("a quantised network")


def _binary(named: str, a: Value, b: Value) -> Value:
    return _first(_ELEMENTS[named]([a, b], {}))


def _first(made: Value | list[Value]) -> Value:
    return made[0] if isinstance(made, list) else made


def _multiply(a: Value, b: Value) -> Value:
    return _binary("Mul", a, b)


def _add(a: Value, b: Value) -> Value:
    return _binary("Add", a, b)


def _matmul(inputs: Inputs, _: Attributes) -> Value:
    a, b = need(inputs, 0), need(inputs, 1)
    tf = tensorflow.load()
    _check_product(a, b)
    if len(a.axes) > _MATRIX and len(b.axes) == _MATRIX and a.axes[-1] == len(a.axes) - 1:
        # A dense layer: the rows are multiplied in the order in which they are stored.
        rows = tf.reshape(a.stored, [prod(a.shape[:-1]), a.shape[-1]])
        made = tf.matmul(rows, b.ordered())
        return Value(tf.reshape(made, [*a.stored.shape[:-1], b.shape[1]]), a.axes)
    if len(a.axes) >= _MATRIX and len(b.axes) >= _MATRIX:
        return plain(tf.matmul(a.ordered(), b.ordered()))
    wide = a if len(a.axes) > 1 else reshaped(a, [1, *a.shape])
    tall = b if len(b.axes) > 1 else reshaped(b, [*b.shape, 1])
    made = plain(tf.matmul(wide.ordered(), tall.ordered()))
    shape = list(made.shape)
    if len(b.axes) == 1:
        del shape[-1]
    if len(a.axes) == 1:
        del shape[-1 if len(b.axes) == 1 else -2]
    return reshaped(made, shape)


def _check_product(a: Value, b: Value) -> None:
    """Check the size of a product of matrices before it is computed."""
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    check_size((*outer, *a.shape[-2:-1], *b.shape[-1:]))


def _gemm(inputs: Inputs, attributes: Attributes) -> Value:
    tf, a, b = tensorflow.load(), need(inputs, 0).ordered(), need(inputs, 1).ordered()
    check_size((max(a.shape), max(b.shape)))
    if attributes.get("transB") and isinstance(b, np.ndarray):
        b, attributes = np.ascontiguousarray(b.T), {**attributes, "transB": 0}
    made = tf.matmul(
        a, b, transpose_a=bool(attributes.get("transA")), transpose_b=bool(attributes.get("transB"))
    )
    if (alpha := attributes.get("alpha", 1.0)) != 1:
        made = made * np.float32(alpha)
    bias = optional(inputs, 2)
    if bias is not None:
        made = made + (bias.ordered() * np.float32(attributes.get("beta", 1.0)))
    return plain(made)


def _einsum(inputs: Inputs, attributes: Attributes) -> Value:
    values = [value for value in inputs if value is not None]
    equation = attributes["equation"].decode().replace(" ", "")
    parts, arrow, result = equation.partition("->")
    if not arrow or "." in equation:
        raise UnsupportedError("an Einsum without the letters of its result")
    letters = zip(parts.split(","), values, strict=True)
    sides = {
        letter: side
        for each, value in letters
        for letter, side in zip(each, value.shape, strict=True)
    }
    check_size(tuple(sides[letter] for letter in result))
    return plain(tensorflow.load().einsum(equation, *(value.ordered() for value in values)))


def _normalise_batch(inputs: Inputs, attributes: Attributes) -> Value:
    image = need(inputs, 0)
    if not all(value is not None and value.known for value in inputs[1:5]):
        raise UnsupportedError("a BatchNormalization without fixed statistics")
    if attributes.get("training_mode"):
        raise UnsupportedError("a BatchNormalization that trains; call model.eval() before that")
    scale, offset, mean, variance = (need(inputs, index).stored for index in range(1, 5))
    factor = scale / np.sqrt(variance + np.float32(attributes.get("epsilon", 1e-5)))
    shape = [1] * len(image.axes)
    shape[image.at(1)] = -1
    added = (offset - mean * factor).reshape(shape)
    return Value(image.stored * factor.reshape(shape) + added, image.axes)


def _centred(value: Value, axes: list[int], epsilon: float) -> Value:
    """Return numbers less their mean over axes, divided by their deviation."""
    tf, at = tensorflow.load(), [value.at(axis) for axis in axes]
    mean = tf.reduce_mean(value.stored, at, keepdims=True)
    # Not a product of one tensor with itself, which would become `Square`.
    spread = tf.reduce_mean(tf.math.squared_difference(value.stored, mean), at, keepdims=True)
    return Value((value.stored - mean) * tf.math.rsqrt(spread + np.float32(epsilon)), value.axes)


def _scaled(value: Value, inputs: Inputs, shape: list[int] | None = None) -> Value:
    """Multiply with the second input, and add the third, in the given shape."""
    for index, function in ((1, _multiply), (2, _add)):
        given = optional(inputs, index)
        if given is not None:
            value = function(value, given if shape is None else reshaped(given, shape))
    return value


def _normalise_layer(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    axes = list(range(value.axis(attributes.get("axis", -1)), len(value.axes)))
    return _scaled(_centred(value, axes, attributes.get("epsilon", 1e-5)), inputs)


def _normalise_size(inputs: Inputs, attributes: Attributes) -> Value:
    """Compute RMSNormalization."""
    tf, value = tensorflow.load(), need(inputs, 0)
    at = [value.at(axis) for axis in range(value.axis(attributes.get("axis", -1)), len(value.axes))]
    spread = tf.reduce_mean(squared(tf, value.stored), at, keepdims=True)
    epsilon = np.float32(attributes.get("epsilon", 1e-5))
    return _scaled(Value(value.stored * tf.math.rsqrt(spread + epsilon), value.axes), inputs[:2])


def _normalise_instance(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    axes = list(range(2, len(value.axes)))
    made = _centred(value, axes, attributes.get("epsilon", 1e-5))
    return _scaled(made, inputs, [1, value.shape[1], *(1 for _ in axes)])


def _normalise_groups(inputs: Inputs, attributes: Attributes) -> Value:
    value, groups = need(inputs, 0), attributes["num_groups"]
    count, depth, *sides = value.shape
    if groups < 1 or depth % groups:
        raise UnsupportedError("a GroupNormalization whose groups do not fit")
    parts = reshaped(value, [count, groups, depth // groups, *sides])
    axes = list(range(2, len(parts.axes)))
    made = _centred(parts, axes, attributes.get("epsilon", 1e-5))
    ones = [1 for _ in sides]
    if attributes["opset"] < _GROUPS_BY_CHANNEL and need(inputs, 1).shape == (groups,):
        return reshaped(_scaled(made, inputs, [1, groups, 1, *ones]), list(value.shape))
    return _scaled(reshaped(made, list(value.shape)), inputs, [1, depth, *ones])


def _normalise_length(inputs: Inputs, attributes: Attributes) -> Value:
    """Compute LpNormalization."""
    value, kind = need(inputs, 0), "ReduceL1" if attributes.get("p", 2) == 1 else "ReduceL2"
    axes = [attributes.get("axis", -1)]
    return _binary("Div", value, _first(_ELEMENTS[kind]([value], {"axes": axes})))


def _softmax(function: str) -> Operator:
    def compute(inputs: Inputs, attributes: Attributes) -> Value:
        tf, value = tensorflow.load(), need(inputs, 0)
        by_axis = attributes["opset"] >= _SOFTMAX_BY_AXIS
        axis = value.axis(attributes.get("axis", -1 if by_axis else 1))
        if by_axis or axis == len(value.axes) - 1:
            made = getattr(tf.nn, function)(value.stored, axis=value.at(axis))
            return Value(made, value.axes)
        # Up to version 12, it is of all axes from this one on.
        rows = reshaped(value, [prod(value.shape[:axis]), prod(value.shape[axis:])])
        made = plain(getattr(tf.nn, function)(rows.ordered(), axis=-1))
        return reshaped(made, list(value.shape))

    return compute


def _attention(inputs: Inputs, attributes: Attributes) -> Value:
    """Compute Attention of heads `[batch, heads, tokens, width]`, without a cache."""
    tf = tensorflow.load()
    query, key, value = (need(inputs, at) for at in range(3))
    odd = ("is_causal", "softcap", "qk_matmul_output_mode")
    if any(attributes.get(each) for each in odd) or any(each is not None for each in inputs[4:]):
        raise UnsupportedError("an Attention with a cache or a limit")
    if not len(query.axes) == len(key.axes) == len(value.axes) == len("bhtw"):
        raise UnsupportedError("an Attention whose heads are not apart")
    if query.shape[1] != key.shape[1]:
        raise UnsupportedError("an Attention whose heads share keys")
    scale = attributes.get("scale") or query.shape[-1] ** -0.5
    products = tf.matmul(
        query.ordered() * np.float32(scale), transposed(key, [0, 1, 3, 2]).ordered()
    )
    mask = optional(inputs, 3)
    if mask is not None:
        if kind_of(mask.stored) == np.bool_:
            raise UnsupportedError("an Attention with a mask of booleans")
        products = products + mask.ordered()
    return plain(tf.matmul(tf.nn.softmax(products), value.ordered()))


def _resize(inputs: Inputs, attributes: Attributes) -> Value:
    """Compute Resize, whose result along each axis is a fixed mixture of its numbers."""
    value = need(inputs, 0)
    scales = _floats(inputs, 2)
    sizes = integers(inputs, 3)
    axes = [value.axis(axis) for axis in attributes.get("axes", value.axes_in_order)]
    if attributes.get("keep_aspect_ratio_policy", b"stretch") != b"stretch" or len(axes) != len(
        sizes or scales or ()
    ):
        raise UnsupportedError("a Resize without fixed sizes")
    for place, axis in enumerate(axes):
        side = value.shape[axis]
        after = sizes[place] if sizes else int(np.floor(side * scales[place]))
        scale = scales[place] if scales and not sizes else after / side
        check_size((*value.shape[:axis], *value.shape[axis + 1 :], after))
        if (after, scale) != (side, 1.0):
            value = _resized(value, axis, after, scale, attributes)
    return value


def _upsample(inputs: Inputs, attributes: Attributes) -> Value:
    """Compute Upsample, which became Resize."""
    scales = optional(inputs, 1) or plain(np.asarray(attributes["scales"], np.float32))
    given = {"coordinate_transformation_mode": b"asymmetric", "nearest_mode": b"floor"}
    return _resize([need(inputs, 0), None, scales], {**given, **attributes})


def _floats(inputs: Inputs, index: int) -> list[float]:
    value = optional(inputs, index)
    if value is None:
        return []
    if not value.known:
        raise UnsupportedError("a Resize without fixed sizes")
    return [float(each) for each in value.stored.reshape(-1)]


def _resized(value: Value, axis: int, after: int, scale: float, attributes: Attributes) -> Value:
    side, mode = value.shape[axis], attributes.get("mode", b"nearest")
    at = _positions(side, after, scale, attributes)
    if mode == b"nearest":
        rounding = attributes.get("nearest_mode", b"round_prefer_floor")
        if rounding == b"floor":
            whole = np.floor(at)
        elif rounding == b"ceil":
            whole = np.ceil(at)
        else:
            whole = np.ceil(at - 0.5) if rounding == b"round_prefer_floor" else np.floor(at + 0.5)
        places = whole.clip(0, side - 1).astype(np.int32)
        return taken(value, axis, places)
    if attributes.get("antialias") or attributes.get("exclude_outside"):
        raise UnsupportedError("a Resize that smooths")
    if mode not in (b"linear", b"cubic"):
        raise UnsupportedError("a Resize of an unusual mode")
    weights = np.zeros((after, side))
    for shift in (0, 1) if mode == b"linear" else (-1, 0, 1, 2):
        whole = np.floor(at) + shift
        far = np.abs(at - whole)
        weight = 1 - far if mode == b"linear" else _cubic(far, attributes)
        np.add.at(weights, (np.arange(after), whole.clip(0, side - 1).astype(int)), weight)
    place = value.at(axis)
    sides = [int(each) for each in value.stored.shape]
    tf = tensorflow.load()
    columns = tf.reshape(value.stored, [prod(sides[:place]), side, prod(sides[place + 1 :])])
    made = tf.matmul(weights.astype(np.float32)[None], columns)
    return Value(tf.reshape(made, [*sides[:place], after, *sides[place + 1 :]]), value.axes)


def _cubic(t: Any, attributes: Attributes) -> Any:
    """Return the weights of a cubic convolution (Keys 1981) at a distance."""
    a = attributes.get("cubic_coeff_a", -0.75)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))  # noqa: PLR2004 - the formula's


def _positions(side: int, after: int, scale: float, attributes: Attributes) -> Any:
    """Return where each pixel of the result lies in the input."""
    mode = attributes.get("coordinate_transformation_mode", b"half_pixel")
    at = np.arange(after)
    if mode == b"half_pixel" or (mode == b"pytorch_half_pixel" and after > 1):
        return (at + 0.5) / scale - 0.5
    if mode == b"pytorch_half_pixel":
        return np.zeros(after)
    if mode == b"asymmetric":
        return at / scale
    if mode == b"align_corners":
        return at * (side - 1) / max(1, after - 1)
    raise UnsupportedError("a Resize of an unusual mode")


def _dequantise(inputs: Inputs, attributes: Attributes) -> Value:
    """Return fixed numbers, such as weights of bytes, as floats."""
    value, scale, zero = need(inputs, 0), need(inputs, 1), optional(inputs, 2)
    if not value.known or not scale.known or attributes.get("block_size"):
        raise QuantisedError
    shape = [1] * len(value.axes)
    if scale.axes and scale.stored.size > 1:
        shape[value.axis(attributes.get("axis", 1))] = -1
    numbers = value.ordered().astype(np.float32)
    if zero is not None:
        numbers = numbers - zero.stored.astype(np.float32).reshape(shape)
    return plain(numbers * scale.stored.astype(np.float32).reshape(shape))


def _quantised(_: Inputs, __: Attributes) -> Value:
    raise QuantisedError


OPERATORS: dict[str, Operator] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
    "BatchNormalization": _normalise_batch,
    "LayerNormalization": _normalise_layer,
    "RMSNormalization": _normalise_size,
    "InstanceNormalization": _normalise_instance,
    "GroupNormalization": _normalise_groups,
    "LpNormalization": _normalise_length,
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "Attention": _attention,
    "Resize": _resize,
    "Upsample": _upsample,
    "DequantizeLinear": _dequantise,
    **dict.fromkeys(
        (
            "QuantizeLinear",
            "DynamicQuantizeLinear",
            "QLinearConv",
            "QLinearMatMul",
            "ConvInteger",
            "MatMulInteger",
        ),
        _quantised,
    ),
}
