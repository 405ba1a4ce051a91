"""TF.js' fused operations: a layer with its bias and its activation in one kernel.

The WebAssembly backend accepts fewer of them than the converter writes. This module knows the
rules of both, and splits a fused operation into its parts
(`fusedConvAndDepthWiseParams` in `tfjs-converter/src/operations/executors/convolution_executor.ts`
and `kernels/{FusedConv2D,FusedDepthwiseConv2D,_FusedMatMul}.ts` in `tfjs-backend-wasm`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    Shape = tuple[int, ...]

FUSED = {
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
}
"""The fused operations, and what each is without its bias and activation."""

ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu", "Sigmoid", "LeakyRelu", "Prelu"})
"""The activations that the WebAssembly backend can fuse."""

ONLY_FUSED = frozenset(
    {"fused_ops", "num_args", "epsilon", "leakyrelu_alpha", "TArgs", "num_host_args", "host_args"}
)
"""Attributes that the layer alone does not have."""

_PLAIN = 2
"""Number of inputs of the layer itself: its input, and its kernel."""

_NOTHING = "NoOp"
"""What the converter writes for a depthwise convolution without a bias."""


def attribute(node: Any, key: str) -> Any:
    """Return an attribute's `AttrValue`, or an empty one if the node does not have it.

    Reading an absent attribute of a `NodeDef` directly would add it.
    """
    from tensorflow.core.framework import attr_value_pb2

    return node.attr[key] if key in node.attr else attr_value_pb2.AttrValue()


def steps_of(node: Any) -> list[str]:
    """Return the operations that a fused `NodeDef` applies after its layer, in order."""
    return [name.decode() for name in attribute(node, "fused_ops").list.s]


def channels_of(node: Any, kernel: Shape) -> int:
    """Return how many output channels a layer, fused or not, has with a kernel of that shape."""
    operation = FUSED.get(node.op, node.op)
    if operation == "DepthwiseConv2dNative":
        return kernel[2] * kernel[3]
    if operation == "MatMul" and attribute(node, "transpose_b").b:
        return kernel[0]
    return kernel[-1]


def by_channel(shape: Shape, channels: int, rank: int) -> bool:
    """Tell whether a constant, added to a tensor, varies only along the tensor's last axis.

    Args:
        shape: Shape of the constant.
        channels: Length of the tensor's last axis.
        rank: Rank of the tensor. A constant of higher rank would increase the rank of the result.
    """
    along, last = shape[:-1], shape[-1:]
    return (
        len(shape) <= rank and all(side == 1 for side in along) and last in ((), (1,), (channels,))
    )


def obstacle(node: Any, shapes: Mapping[str, Shape]) -> str | None:
    """Return why TF.js' WebAssembly backend cannot run a fused operation.

    Args:
        node: A `NodeDef` whose operation is in :data:`FUSED`.
        shapes: Shapes of all constants, by name.

    Returns:
        The reason, to follow the node's name; None if the backend can run it.
    """
    steps = steps_of(node)
    biased = steps[:1] == ["BiasAdd"]
    if not biased and steps[:1] != [_NOTHING]:
        return f"fuses {' and '.join(steps) or 'nothing'}, without a bias before it"
    if len(steps) > 2 or not ACTIVATIONS.issuperset(steps[1:]):  # noqa: PLR2004 - bias, activation
        return f"fuses {' and '.join(steps[1:])}"
    arguments = int(biased) + steps.count("Prelu")
    if arguments != attribute(node, "num_args").i or len(node.input) != _PLAIN + arguments:
        return f"has {len(node.input) - _PLAIN} arguments for {' and '.join(steps)}"
    if attribute(node, "data_format").s not in (b"", b"NHWC"):
        return "has its channels first"
    if "BiasAdd" in steps and (
        attribute(node, "transpose_a").b or attribute(node, "transpose_b").b
    ):
        # tfjs-backend-wasm 4.22 computes wrong numbers for more than one row, without an error.
        return "adds a bias to a product of transposed matrices"
    return _argument_obstacle(node, shapes)


def _argument_obstacle(node: Any, shapes: Mapping[str, Shape]) -> str | None:
    steps = steps_of(node)
    kernel = shapes.get(_name(node.input[1]))
    # The stock form of a quantised kernel is not a constant, so its channels are not known here.
    channels = None if kernel is None else channels_of(node, kernel)
    if "BiasAdd" in steps and not _is_row(shapes.get(_name(node.input[_PLAIN])), channels):
        return "adds a bias that is not one constant for each channel"
    if "Prelu" in steps and not _is_slope(shapes.get(_name(node.input[-1])), channels):
        return "has a Prelu whose slopes are not by channel"
    if steps == [_NOTHING, "Prelu"] and node.op == "_FusedMatMul":
        return "has a Prelu in place of its bias"
    return None


def apart(node: Any, addition: Literal["BiasAdd", "AddV2"]) -> list[Any]:
    """Split a fused `NodeDef` into a chain of `NodeDef`s; the last one keeps its name.

    Args:
        node: A `NodeDef` whose operation is in :data:`FUSED`.
        addition: The operation that adds the bias: `BiasAdd` for a row of constants, `AddV2` for
            anything else that can be added to the layer's output.
    """
    steps = steps_of(node)
    names = [f"{node.name}/unfused_{index}" for index in range(len(steps))] + [node.name]
    bare = type(node)(name=names[0], op=FUSED[node.op], input=node.input[:2])
    for key, value in node.attr.items():
        if key not in ONLY_FUSED:
            bare.attr[key].CopyFrom(value)
    chain = [bare]
    extra = iter(node.input[2:])
    for step, before, name in zip(steps, names[:-1], names[1:], strict=True):
        link = type(node)(name=name, op=step, input=[before])
        link.attr["T"].CopyFrom(node.attr["T"])
        if step == "BiasAdd":
            link.op = addition
            link.input.append(next(extra))
            if addition == "BiasAdd" and "data_format" in bare.attr:
                link.attr["data_format"].CopyFrom(bare.attr["data_format"])
        elif step == "Prelu":
            link.input.append(next(extra))
        elif step == "LeakyRelu":
            link.attr["alpha"].CopyFrom(attribute(node, "leakyrelu_alpha"))
        elif step == "FusedBatchNorm":
            link.op = "FusedBatchNormV3"
            link.input.extend(extra)
            link.attr["U"].CopyFrom(node.attr["T"])
            link.attr["epsilon"].CopyFrom(node.attr["epsilon"])
            link.attr["is_training"].b = False
        elif step == _NOTHING:
            link.op = "Identity"
        chain.append(link)
    return chain


def without_prelu(node: Any) -> list[Any]:
    """Split a `Prelu`, which TensorFlow lacks, into several nodes.

    Its result is relu(x) - slopes * relu(-x).
    """
    value, slopes = node.input[:2]
    above, negated, below, scaled = parts_of_prelu(node.name)
    parts = {
        above: ("Relu", [value]),
        negated: ("Neg", [value]),
        below: ("Relu", [negated]),
        scaled: ("Mul", [slopes, below]),
        node.name: ("Sub", [above, scaled]),
    }
    nodes = [type(node)(name=name, op=op, input=inputs) for name, (op, inputs) in parts.items()]
    from tensorflow.core.framework import types_pb2

    for part in nodes:
        part.attr["T"].type = types_pb2.DT_FLOAT
    return nodes


def parts_of_prelu(name: str) -> tuple[str, str, str, str]:
    """Return the names of the nodes that :func:`without_prelu` makes, except the last one."""
    return f"{name}/above", f"{name}/negated", f"{name}/below", f"{name}/scaled"


def prelu_is_by_channel(shape: Shape | None) -> bool:
    """Tell whether TF.js' WebAssembly backend can run a `Prelu` with slopes of that shape.

    The backend repeats the slopes over the input's values, ignoring their shape.
    """
    return shape is not None and _repeats(shape)


def _is_row(shape: Shape | None, channels: int | None) -> bool:
    if shape is None or len(shape) != 1:
        return False
    return channels is None or shape == (channels,)


def _is_slope(shape: Shape | None, channels: int | None) -> bool:
    # tfjs-core requires a scalar, or a rank of 1 or 3.
    if shape is None or len(shape) not in (0, 1, 3) or not _repeats(shape):
        return False
    return channels is None or shape[-1:] == (channels,) or all(side == 1 for side in shape)


def _repeats(shape: Shape) -> bool:
    """Tell whether repeating a constant's values is the same as broadcasting it.

    It is for the shape `[1, 8]`, which is repeated for each row. It is not for `[4, 1]` or
    `[4, 1, 8]`, which would have to be stretched along an axis of 1.
    """
    sides = list(shape)
    while sides and sides[0] == 1:
        sides.pop(0)
    return 1 not in sides


def _name(reference: str) -> str:
    return reference.lstrip("^").split(":")[0]
