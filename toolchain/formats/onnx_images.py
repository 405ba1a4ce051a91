"""Computes ONNX' convolutions and poolings of images, with their channels last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import UnsupportedError
from toolchain.formats.onnx_value import (
    CHANNELS_LAST,
    Attributes,
    Inputs,
    Value,
    check_size,
    need,
    optional,
    reshaped,
)

if TYPE_CHECKING:
    from toolchain.formats.onnx_value import Operator

_LOWEST = -3.0e38  # pads a maximum; TF.js has no infinity in its weights
_RANK = len(CHANNELS_LAST)
_ROW_RANK = 3  # [batch, channels, length]
_KEYS = ("kernel_shape", "strides", "dilations", "pads")


@dataclass(frozen=True)
class _Window:
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]
    """Top, left, bottom, right."""
    beyond: tuple[int, int] = (0, 0)
    """How far the last windows reach beyond that padding, in rows and columns."""


def _window(attributes: Attributes, kernel: list[int], shape: tuple[int, ...]) -> _Window:
    if len(kernel) != _RANK - 2 or len(shape) != _RANK:
        raise UnsupportedError("a convolution or pooling that is not of images")
    strides = list(attributes.get("strides", [1, 1]))
    dilations = list(attributes.get("dilations", [1, 1]))
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    auto = attributes.get("auto_pad", b"NOTSET")
    if min(pads) < 0 or min(strides) < 1 or min(dilations) < 1 or max(pads) > 1 << 12:
        raise UnsupportedError("a window with odd paddings or strides")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        pads = _same(shape, kernel, strides, dilations)
        if auto == b"SAME_LOWER":
            pads = pads[2:] + pads[:2]
    top, left, bottom, right = pads
    beyond = [0, 0]
    if attributes.get("ceil_mode"):
        for at in range(2):
            side, start, end = shape[2 + at], pads[at], pads[2 + at]
            reach = (kernel[at] - 1) * dilations[at] + 1
            count = -(-(side + start + end - reach) // strides[at]) + 1
            # A window that starts in the padding behind the image is left out.
            count -= (count - 1) * strides[at] >= side + start
            beyond[at] = max(0, (count - 1) * strides[at] + reach - side - start - end)
            if count == 1 and beyond[at] and dilations[at] == 1:
                # The only window is larger than the image, as Hugging Face's EfficientNet has it.
                kernel[at], beyond[at] = side + start + end, 0
    return _Window(
        (kernel[0], kernel[1]),
        (strides[0], strides[1]),
        (dilations[0], dilations[1]),
        (top, left, bottom, right),
        (beyond[0], beyond[1]),
    )


def _same(
    shape: tuple[int, ...], kernel: list[int], strides: list[int], dilations: list[int]
) -> list[int]:
    """Return TensorFlow's paddings for `SAME`: top, left, bottom, right."""
    all_of = [
        max((-(-side // step) - 1) * step + (width - 1) * gap + 1 - side, 0)
        for side, width, step, gap in zip(shape[2:], kernel, strides, dilations, strict=True)
    ]
    return [each // 2 for each in all_of] + [each - each // 2 for each in all_of]


def _padded(value: Value, window: _Window, fill: float = 0.0) -> tuple[Any, str]:
    """Return an image with channels last, and TensorFlow's name for the rest of its padding."""
    tensor = value.ordered(CHANNELS_LAST)
    top, left, bottom, right = window.pads
    bottom, right = bottom + window.beyond[0], right + window.beyond[1]
    if not any((top, left, bottom, right)):
        return tensor, "VALID"
    same = _same(value.shape, list(window.kernel), list(window.strides), list(window.dilations))
    if same == [top, left, bottom, right]:
        return tensor, "SAME"
    widths = [[0, 0], [top, bottom], [left, right], [0, 0]]
    count, depth, height, width = value.shape
    check_size((count, depth, height + top + bottom, width + left + right))
    more = {"constant_values": fill} if fill else {}
    return tensorflow.load().pad(tensor, widths, **more), "VALID"


def _as_image(operator: Operator) -> Operator:
    """Return an operator that also takes rows, as images of one row of pixels."""

    def compute(inputs: Inputs, attributes: Attributes) -> Value | list[Value]:
        row = need(inputs, 0)
        if len(row.axes) != _ROW_RANK:
            return operator(inputs, attributes)
        given = dict(attributes)
        for key in _KEYS:
            if key in given:
                still = 0 if key == "pads" else 1
                each = list(given[key])
                given[key] = [still, each[0], still, each[1]] if key == "pads" else [still, *each]
        images = [reshaped(row, [*row.shape[:2], 1, row.shape[2]]), *inputs[1:]]
        weights = optional(inputs, 1)
        if weights is not None and len(weights.axes) == _ROW_RANK:
            images[1] = reshaped(weights, [*weights.shape[:2], 1, weights.shape[2]])
        made = operator(images, given)
        if isinstance(made, list):
            return made
        return reshaped(made, [*made.shape[:2], made.shape[3]])

    return compute


def _conv(inputs: Inputs, attributes: Attributes) -> Value:
    image, weights = need(inputs, 0), need(inputs, 1)
    if not weights.known or {len(weights.axes), len(image.axes)} != {_RANK}:
        raise UnsupportedError("a Conv that is not of images with fixed weights")
    kernel = weights.ordered((2, 3, 1, 0))  # height, width, in, out
    groups = attributes.get("group", 1)
    window = _window(attributes, list(kernel.shape[:2]), image.shape)
    channels = image.shape[1]
    if groups < 1 or channels != groups * kernel.shape[2] or kernel.shape[3] % groups:
        raise UnsupportedError("a Conv whose weights do not fit its input")
    is_depthwise = groups > 1 and groups == channels
    uneven = is_depthwise and window.strides[0] != window.strides[1]
    if max(window.strides) > 1 and (max(window.dilations) > 1 or uneven):
        # TensorFlow or TF.js cannot do both at once: every result is computed, and some are taken.
        every = _convolved(image, replace(window, strides=(1, 1)), kernel, groups)
        made = every[:, :: window.strides[0], :: window.strides[1]]
    else:
        made = _convolved(image, window, kernel, groups)
    bias = optional(inputs, 2)
    if bias is not None:
        made = tensorflow.load().nn.bias_add(made, bias.stored)
    return Value(made, CHANNELS_LAST)


def _convolved(image: Value, window: _Window, kernel: Any, groups: int) -> Any:
    tf = tensorflow.load()
    tensor, padding = _padded(image, window)
    channels = image.shape[1]
    if groups > 1 and groups == channels:
        depthwise = kernel.reshape(*kernel.shape[:2], channels, -1)
        steps = [1, *window.strides, 1]
        return tf.nn.depthwise_conv2d(tensor, depthwise, steps, padding, dilations=window.dilations)
    if groups == 1:
        return tf.nn.conv2d(tensor, kernel, window.strides, padding, dilations=window.dilations)
    parts = zip(tf.split(tensor, groups, axis=3), np.split(kernel, groups, axis=3), strict=True)
    made = [
        tf.nn.conv2d(part, each, window.strides, padding, dilations=window.dilations)
        for part, each in parts
    ]
    return tf.concat(made, axis=3)


def _largest(inputs: Inputs, attributes: Attributes) -> Value:
    image = need(inputs, 0)
    window = _window(attributes, list(attributes["kernel_shape"]), image.shape)
    tensor, padding = _padded(image, window, _LOWEST)
    return Value(_pooled(tensor, window, "MAX", padding), CHANNELS_LAST)


def _average(inputs: Inputs, attributes: Attributes) -> Value:
    image = need(inputs, 0)
    window = _window(attributes, list(attributes["kernel_shape"]), image.shape)
    with_padding = bool(attributes.get("count_include_pad", 0))
    tensor, padding = _padded(image, window)
    if padding == "SAME" and not with_padding:
        return Value(_pooled(tensor, window, "AVG", padding), CHANNELS_LAST)
    if padding == "SAME":
        top, left, bottom, right = window.pads
        widths = [[0, 0], [top, bottom], [left, right], [0, 0]]
        tensor = tensorflow.load().pad(tensor, widths)
    made = _pooled(tensor, window, "AVG", "VALID")
    counts = [_counts(image.shape, window, at, with_padding=with_padding) for at in range(2)]
    factors = window.kernel[0] * window.kernel[1] / np.outer(*counts)
    if (factors != 1).any():
        made = made * factors.astype(np.float32)[None, :, :, None]
    return Value(made, CHANNELS_LAST)


def _counts(shape: tuple[int, ...], window: _Window, at: int, *, with_padding: bool) -> Any:
    """Return how many rows (`at` 0) or columns (1) of each window count."""
    side, start, end = shape[2 + at], window.pads[at], window.pads[2 + at]
    counted = np.zeros(start + side + end + window.beyond[at], np.int64)
    counted[: start + side + end] = with_padding
    counted[start : start + side] = 1
    reach = (window.kernel[at] - 1) * window.dilations[at] + 1
    firsts = range(0, len(counted) - reach + 1, window.strides[at])
    return np.array(
        [counted[first : first + reach : window.dilations[at]].sum() for first in firsts]
    )


def _pooled(tensor: Any, window: _Window, kind: str, padding: str) -> Any:
    tf = tensorflow.load()
    if max(window.dilations) == 1:
        function = tf.nn.max_pool2d if kind == "MAX" else tf.nn.avg_pool2d
        return function(tensor, window.kernel, window.strides, padding)
    return tf.nn.pool(
        tensor, window.kernel, kind, window.strides, padding, dilations=window.dilations
    )


def _global(named: str) -> Operator:
    def compute(inputs: Inputs, _: Attributes) -> Value:
        image = need(inputs, 0)
        at = [image.at(axis) for axis in range(2, len(image.axes))]
        made = getattr(tensorflow.load(), named)(image.stored, at, keepdims=True)
        return Value(made, image.axes)

    return compute


def _normalise_locally(inputs: Inputs, attributes: Attributes) -> Value:
    """Compute LRN."""
    image, size = need(inputs, 0), attributes["size"]
    if size % 2 == 0:
        raise UnsupportedError("an LRN over an even number of channels")
    made = tensorflow.load().nn.local_response_normalization(
        image.ordered(CHANNELS_LAST),
        depth_radius=size // 2,
        bias=attributes.get("bias", 1.0),
        alpha=attributes.get("alpha", 1e-4) / size,
        beta=attributes.get("beta", 0.75),
    )
    return Value(made, CHANNELS_LAST)


OPERATORS: dict[str, Operator] = {
    "Conv": _as_image(_conv),
    "MaxPool": _as_image(_largest),
    "AveragePool": _as_image(_average),
    "GlobalAveragePool": _global("reduce_mean"),
    "GlobalMaxPool": _global("reduce_max"),
    "LRN": _normalise_locally,
}
