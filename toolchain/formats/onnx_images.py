"""Computes ONNX' convolutions and poolings of images, with their channels last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.onnx_value import (
    CHANNELS_LAST,
    Attributes,
    Inputs,
    UnsupportedError,
    Value,
    need,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_LOWEST = -3.0e38  # pads a maximum; TF.js has no infinity in its weights


@dataclass(frozen=True)
class _Window:
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]
    """Top, left, bottom, right."""


def _window(attributes: Attributes, kernel: list[int], shape: tuple[int, ...]) -> _Window:
    if len(kernel) != len(CHANNELS_LAST) - 2:
        raise UnsupportedError("a convolution or pooling that is not of images")
    if attributes.get("ceil_mode"):
        raise UnsupportedError("a pooling with ceil_mode")
    strides = list(attributes.get("strides", [1, 1]))
    dilations = list(attributes.get("dilations", [1, 1]))
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    auto = attributes.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        pads = _same(shape, kernel, strides, dilations)
        if auto == b"SAME_LOWER":
            pads = pads[2:] + pads[:2]
    if min(pads) < 0 or min(strides) < 1 or min(dilations) < 1 or max(pads) > 1 << 12:
        raise UnsupportedError("a window with odd paddings or strides")
    top, left, bottom, right = pads
    return _Window(
        (kernel[0], kernel[1]),
        (strides[0], strides[1]),
        (dilations[0], dilations[1]),
        (top, left, bottom, right),
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
    if not any(window.pads):
        return tensor, "VALID"
    same = _same(value.shape, list(window.kernel), list(window.strides), list(window.dilations))
    if same == list(window.pads):
        return tensor, "SAME"
    top, left, bottom, right = window.pads
    widths = [[0, 0], [top, bottom], [left, right], [0, 0]]
    return tensorflow.load().pad(tensor, widths, constant_values=fill), "VALID"


def conv(inputs: Inputs, attributes: Attributes) -> Value:
    """Compute Conv; raises UnsupportedError for what TensorFlow does not have."""
    tf, image, weights = tensorflow.load(), need(inputs, 0), need(inputs, 1)
    if not weights.known or {len(weights.axes), len(image.axes)} != {len(CHANNELS_LAST)}:
        raise UnsupportedError("a Conv that is not of images with fixed weights")
    kernel = weights.ordered((2, 3, 1, 0))  # height, width, in, out
    groups = attributes.get("group", 1)
    window = _window(attributes, list(kernel.shape[:2]), image.shape)
    tensor, padding = _padded(image, window)
    channels = image.shape[1]
    if groups < 1 or channels != groups * kernel.shape[2] or kernel.shape[3] % groups:
        raise UnsupportedError("a Conv whose weights do not fit its input")
    if groups > 1 and groups == channels and window.strides[0] == window.strides[1]:
        depthwise = kernel.reshape(*kernel.shape[:2], channels, -1)
        steps = [1, *window.strides, 1]
        made = tf.nn.depthwise_conv2d(tensor, depthwise, steps, padding, dilations=window.dilations)
    else:
        parts = tf.split(tensor, groups, axis=3) if groups > 1 else [tensor]
        made = [
            tf.nn.conv2d(part, each, window.strides, padding, dilations=window.dilations)
            for part, each in zip(parts, np.split(kernel, groups, axis=3), strict=True)
        ]
        made = tf.concat(made, axis=3) if groups > 1 else made[0]
    bias = (*inputs, None, None)[2]
    if bias is not None:
        made = tf.nn.bias_add(made, bias.stored)
    return Value(made, CHANNELS_LAST)


def pool(kind: str) -> Callable[[Inputs, Attributes], Value]:
    """Return the function that computes MaxPool or AveragePool; `kind` is `MAX` or `AVG`."""

    def compute(inputs: Inputs, attributes: Attributes) -> Value:
        image = need(inputs, 0)
        window = _window(attributes, list(attributes["kernel_shape"]), image.shape)
        tensor, padding = _padded(image, window, _LOWEST if kind == "MAX" else 0.0)
        counts_padding = attributes.get("count_include_pad", 0)
        if kind == "AVG" and any(window.pads) and counts_padding == (padding == "SAME"):
            raise UnsupportedError("an AveragePool with this padding")
        made = tensorflow.load().nn.pool(
            tensor, window.kernel, kind, window.strides, padding, dilations=window.dilations
        )
        return Value(made, CHANNELS_LAST)

    return compute


def global_average(inputs: Inputs, _: Attributes) -> Value:
    """Compute GlobalAveragePool."""
    image = need(inputs, 0)
    at = [image.at(axis) for axis in range(2, len(image.axes))]
    return Value(tensorflow.load().reduce_mean(image.stored, at, keepdims=True), image.axes)
