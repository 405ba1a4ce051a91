"""Computes TFLite's layers: convolutions, matrix products, poolings and normalisations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import UnsupportedError
from toolchain.formats.tflite_shapes import reshaped

if TYPE_CHECKING:
    from toolchain.formats.tflite_call import Call, Operator

_PADDINGS = ("SAME", "VALID")  # by `Padding`
_RANK = len("nhwc")


def _padding(call: Call) -> str:
    number = call.option("Padding")
    if number not in range(len(_PADDINGS)):
        raise UnsupportedError(f"the padding number {number}")
    return _PADDINGS[number]


def _pair(call: Call, name: str) -> tuple[int, int]:
    """Return two options for height and width, which are positive."""
    found = call.option(name.format("H")), call.option(name.format("W"))
    if min(found) < 1:
        raise UnsupportedError(f"the operator {call.step.kind} with a step of {min(found)}")
    return found


def _convolve(call: Call) -> Any:
    image, kernel = call.need(0), call.constant(1)
    if {len(image.shape), kernel.ndim} != {_RANK}:
        raise UnsupportedError("a CONV_2D that is not of images")
    kernel = np.transpose(kernel, (1, 2, 3, 0))  # height, width, in, out
    channels = int(image.shape[3])
    groups = channels // max(1, kernel.shape[2])
    if not groups or channels != groups * kernel.shape[2] or kernel.shape[3] % groups:
        raise UnsupportedError("a CONV_2D whose weights do not fit its input")
    return _finished(call, _convolved(call, image, kernel, groups))


def _convolve_depthwise(call: Call) -> Any:
    image, kernel = call.need(0), call.constant(1)
    if {len(image.shape), kernel.ndim} != {_RANK} or kernel.shape[0] != 1:
        raise UnsupportedError("a DEPTHWISE_CONV_2D that is not of images")
    channels = int(image.shape[3])
    if not channels or kernel.shape[3] % channels:
        raise UnsupportedError("a DEPTHWISE_CONV_2D whose weights do not fit its input")
    kernel = kernel.reshape(*kernel.shape[1:3], 1, kernel.shape[3])
    return _finished(call, _convolved(call, image, kernel, channels))


def _convolved(call: Call, image: Any, kernel: Any, groups: int) -> Any:
    """Return a convolution.

    Args:
        call: The operator, for its options.
        image: `[n, height, width, channels]`
        kernel: `[height, width, channels / groups, results]`
        groups: Into how many parts the channels are divided, each with its own results.
    """
    padding, steps = _padding(call), _pair(call, "Stride{}")
    gaps = _pair(call, "Dilation{}Factor")
    is_depthwise = 1 < groups == image.shape[3]
    uneven = is_depthwise and steps[0] != steps[1]
    if max(steps) > 1 and (max(gaps) > 1 or uneven):
        # TensorFlow or TF.js cannot do both at once: every result is computed, and some are taken.
        if padding == "SAME":
            image = _padded(image, kernel.shape[:2], steps, gaps)
        every = _grouped(image, kernel, groups, (1, 1), gaps, "VALID")
        return every[:, :: steps[0], :: steps[1]]
    return _grouped(image, kernel, groups, steps, gaps, padding)


def _padded(
    image: Any, sides: tuple[int, int], steps: tuple[int, int], gaps: tuple[int, int]
) -> Any:
    """Return an image with the padding that TensorFlow calls `SAME`."""
    widths = [[0, 0]]
    for at in range(2):
        side, reach = int(image.shape[1 + at]), (sides[at] - 1) * gaps[at] + 1
        needed = max((-(-side // steps[at]) - 1) * steps[at] + reach - side, 0)
        widths.append([needed // 2, needed - needed // 2])
    return tensorflow.load().pad(image, [*widths, [0, 0]])


def _grouped(
    image: Any,
    kernel: Any,
    groups: int,
    steps: tuple[int, int],
    gaps: tuple[int, int],
    padding: str,
) -> Any:
    tf = tensorflow.load()
    channels = int(image.shape[3])
    if 1 < groups == channels:
        depthwise = kernel.reshape(*kernel.shape[:2], channels, -1)
        return tf.nn.depthwise_conv2d(image, depthwise, [1, *steps, 1], padding, dilations=gaps)
    if groups == 1:
        return tf.nn.conv2d(image, kernel, steps, padding, dilations=gaps)
    parts = zip(tf.split(image, groups, axis=3), np.split(kernel, groups, axis=3), strict=True)
    made = [tf.nn.conv2d(part, each, steps, padding, dilations=gaps) for part, each in parts]
    return tf.concat(made, axis=3)


def _finished(call: Call, value: Any) -> Any:
    """Return a product with its bias added and its activation applied."""
    bias = call.bias()
    if bias is not None:
        value = tensorflow.load().nn.bias_add(value, bias)
    return call.activated(value)


def _connect(call: Call) -> Any:
    tf = tensorflow.load()
    rows, weights = call.need(0), call.need(1)
    if call.option("WeightsFormat"):
        raise UnsupportedError("a FULLY_CONNECTED with weights in another order")
    if len(weights.shape) != 2 or not weights.shape[1]:  # noqa: PLR2004
        raise UnsupportedError("a FULLY_CONNECTED whose weights are no matrix")
    results, width = (int(side) for side in weights.shape)
    outer = [int(side) for side in rows.shape[:-1]]
    made = reshaped(rows, [-1, width])
    if isinstance(weights, np.ndarray):
        made = tf.matmul(made, np.ascontiguousarray(weights.T))
    else:
        made = tf.matmul(made, weights, transpose_b=True)
    made = _finished(call, made)
    return reshaped(made, [*outer, results]) if call.step.options.get("KeepNumDims") else made


def _multiply(call: Call) -> Any:
    """Compute BATCH_MATMUL."""
    return tensorflow.load().matmul(
        call.need(0),
        call.need(1),
        transpose_a=bool(call.option("AdjX")),
        transpose_b=bool(call.option("AdjY")),
    )


def _pooling(name: str) -> Operator:
    def compute(call: Call) -> Any:
        function = getattr(tensorflow.load().nn, name)
        window = call.option("FilterHeight"), call.option("FilterWidth")
        steps = _pair(call, "Stride{}")
        return call.activated(function(call.need(0), window, steps, _padding(call)))

    return compute


def _softmax(call: Call) -> Any:
    value, beta = call.need(0), float(call.option("Beta"))
    return tensorflow.load().nn.softmax(value if beta == 1 else value * np.float32(beta))


def _normalise_locally(call: Call) -> Any:
    return tensorflow.load().nn.local_response_normalization(
        call.need(0),
        depth_radius=call.option("Radius"),
        bias=call.option("Bias"),
        alpha=call.option("Alpha"),
        beta=call.option("Beta"),
    )


OPERATORS: dict[str, Operator] = {
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _convolve_depthwise,
    "FULLY_CONNECTED": _connect,
    "BATCH_MATMUL": _multiply,
    "AVERAGE_POOL_2D": _pooling("avg_pool2d"),
    "MAX_POOL_2D": _pooling("max_pool2d"),
    "SOFTMAX": _softmax,
    "LOG_SOFTMAX": lambda call: tensorflow.load().nn.log_softmax(call.need(0)),
    "L2_NORMALIZATION": lambda call: call.activated(
        tensorflow.load().nn.l2_normalize(call.need(0), -1, epsilon=1e-6)
    ),
    "LOCAL_RESPONSE_NORMALIZATION": _normalise_locally,
}
"""The functions that compute operators, by name."""
