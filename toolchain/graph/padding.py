"""Replaces `SAME` padding of convolutions where TF.js' WebAssembly backend computes it wrongly.

With strides larger than the kernel, TensorFlow's formula for `SAME` padding may be negative for
an axis. TF.js 4.22's convolution then returns zeros, without an error. Such a layer gets `VALID`
padding, and explicit zeros around its input if the other axis needs some. The numbers stay the
same, and every backend computes them correctly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.graph.running import OPEN, shapes_of

_LAYERS = frozenset({"Conv2D", "DepthwiseConv2dNative"})


def write_out(graph_def: Any) -> None:
    """Replace `SAME` padding that would be negative along an axis, in place."""
    found = [node for node in graph_def.node if node.op in _LAYERS and _is_same(node)]
    if not any(max(node.attr["strides"].list.i, default=1) > 1 for node in found):
        return
    shapes = shapes_of(graph_def, {name for node in found for name in node.input[:2]})
    for node in found:
        image, kernel = (shapes.get(name) for name in node.input[:2])
        if image is None or kernel is None or OPEN in (*image[1:3], *kernel[:2]):
            continue
        missing = [_missing(image[axis], kernel[axis - 1], node, axis) for axis in (1, 2)]
        if min(missing) >= 0:
            continue
        node.attr["padding"].s = b"VALID"
        if max(missing) > 0:
            node.input[0] = _padded(graph_def, node, [max(0, each) for each in missing])


def _is_same(node: Any) -> bool:
    return node.attr["padding"].s == b"SAME" and node.attr["data_format"].s in (b"", b"NHWC")


def _missing(size: int, kernel: int, node: Any, axis: int) -> int:
    """Return how many zeros an axis needs; negative if the layer skips its last elements."""
    stride = node.attr["strides"].list.i[axis]
    dilations = node.attr["dilations"].list.i or (1, 1, 1, 1)
    reach = (kernel - 1) * dilations[axis] + 1
    steps = -(-size // stride)
    return int((steps - 1) * stride + reach - size)


def _padded(graph_def: Any, node: Any, missing: list[int]) -> str:
    """Add zeros around a layer's input; of an odd number, one more goes to the end."""
    tf = tensorflow.load()
    sides = np.array([[0, 0], *([each // 2, each - each // 2] for each in missing), [0, 0]])
    tensor = tf.make_tensor_proto(sides.astype(np.int32))
    constant = graph_def.node.add(name=f"{node.name}/sides", op="Const")
    constant.attr["dtype"].type = tensor.dtype
    constant.attr["value"].tensor.CopyFrom(tensor)
    pad = graph_def.node.add(name=f"{node.name}/padded", op="Pad")
    pad.input.extend([node.input[0], constant.name])
    pad.attr["T"].type = node.attr["T"].type
    pad.attr["Tpaddings"].type = tf.int32.as_datatype_enum
    return str(pad.name)
