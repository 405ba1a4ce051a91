"""Finds the operations of a converted graph that the page's first backend cannot run.

That backend is TF.js' WebAssembly. Some operations would raise an error in the visitor's browser.
Others would silently compute wrong numbers: TF.js checks the data format of few operations, and
ignores the shape of a PReLU's slopes. The limits are those of `tfjs-converter`, `tfjs-core` and
`tfjs-backend-wasm` 4.22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.tfjs_graph import fused
from toolchain.tfjs_graph.topology import graph_of
from toolchain.tfjs_graph.weights import constant_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Shape = tuple[int, ...]

_LAYERS = frozenset({"Conv2D", "DepthwiseConv2dNative", "_FusedConv2D"}) | fused.FUSED.keys()
_POOLS = frozenset({"MaxPool", "AvgPool", "MaxPoolWithArgmax"})
# Operations whose kernels refuse other dtypes than float32, or read them as if they were float32.
_FLOATS = frozenset(
    {
        "MatMul",
        "BatchMatMul",
        "BatchMatMulV2",
        "_FusedMatMul",
        "MaxPool",
        "AvgPool",
        "Conv2D",
        "_FusedConv2D",
        "DepthwiseConv2dNative",
        "FusedDepthwiseConv2dNative",
        "Conv3D",
        "ClipByValue",
        "LRN",
    }
)
# Values of TensorFlow's DataType.
_BOOL = 10
_FLOATING = frozenset({1, 2, 19})  # float32, float64, float16; TF.js turns all into float32
_KNOWN = _FLOATING | {3, 4, 6, 7, 9, _BOOL}  # also int32, uint8, int8, string and int64
_STORED = frozenset({"float32", "int32", "bool", "string", "complex64"})
_RANDOM = frozenset(
    {
        "Multinomial",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "TruncatedNormal",
    }
)


def obstacles(model: dict[str, Any], offered: Collection[str]) -> tuple[str, ...]:
    """Return the operations of a model that cannot run, or would compute wrong numbers.

    Args:
        model: A parsed `model.json`.
        offered: The operations in the page's largest runtime
            (`site.parts.load_runtimes()[-1].ops`).

    Returns:
        A clause for each in the graph's order, such as `Conv2D block1/conv strides and dilates at
        once`; empty if the graph can run.
    """
    graph = graph_of(model)
    shapes = constant_shapes(model)
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    operations = (
        f"{node.op} {node.name} {reason}"
        for node in nodes
        if (reason := _obstacle(node, offered, shapes)) is not None
    )
    constants = (
        f"Const {entry['name']} is of {entry['dtype']}, which TF.js lacks"
        for group in model["weightsManifest"]
        for entry in group["weights"]
        if entry["dtype"] not in _STORED
    )
    return (*operations, *constants)


def sentence(model: dict[str, Any], offered: Collection[str], name: str) -> str | None:
    """Return a sentence for the user if a model cannot run, else None.

    Args:
        model: A parsed `model.json`.
        offered: As in :func:`obstacles`.
        name: How messages name the model.
    """
    found = obstacles(model, offered)
    if not found:
        return None
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{name} cannot run in a browser: {found[0]}{more}; replace such operations in the model"


def _obstacle(node: Any, offered: Collection[str], shapes: Mapping[str, Shape]) -> str | None:
    if node.op not in offered:
        return "is an operation that TF.js does not run on WebAssembly"
    for rule in _RULES:
        if reason := rule(node, shapes):
            return reason
    return None


def _format(node: Any, _: Mapping[str, Shape]) -> str | None:
    # Most operations ignore the format and always take the last axis as the channels.
    if fused.attribute(node, "data_format").s not in (b"", b"NHWC"):
        return "has its channels first; save the model with channels last"
    return None


def _fused(node: Any, shapes: Mapping[str, Shape]) -> str | None:
    return fused.obstacle(node, shapes) if node.op in fused.FUSED else None


def _dtype(node: Any, _: Mapping[str, Shape]) -> str | None:
    kind = fused.attribute(node, "T").type
    if node.op in _FLOATS and kind not in {0, *_FLOATING}:
        return "is not of float32"
    target = fused.attribute(node, "DstT").type
    return "casts to a dtype that TF.js lacks" if target not in {0, *_KNOWN} else None


def _steps(node: Any, _: Mapping[str, Shape]) -> str | None:
    if node.op not in _LAYERS | _POOLS:
        return None
    strides = _sides(node, "strides")
    dilations = _sides(node, "dilations")
    if {strides[0], strides[-1], dilations[0], dilations[-1]} != {1}:
        return "steps over images or channels"
    if max(strides) > 1 and max(dilations) > 1:
        return "strides and dilates at once"
    size = _sides(node, "ksize")
    return "pools over images or channels" if {size[0], size[-1]} != {1} else None


def _padding(node: Any, _: Mapping[str, Shape]) -> str | None:
    explicit = fused.attribute(node, "padding").s == b"EXPLICIT"
    return "has explicit padding" if node.op in _POOLS and explicit else None


def _slopes(node: Any, shapes: Mapping[str, Shape]) -> str | None:
    if node.op != "Prelu":
        return None
    slopes = shapes.get(node.input[1].partition(":")[0])
    return None if fused.prelu_is_by_channel(slopes) else "has slopes that are not by channel"


def _chance(node: Any, _: Mapping[str, Shape]) -> str | None:
    return "draws random numbers, so that answers vary" if node.op in _RANDOM else None


def _other_numbers(node: Any, _: Mapping[str, Shape]) -> str | None:
    """Return why an operation silently computes wrong numbers; compared with TF.js' cpu backend."""
    if node.op.startswith("FakeQuantWithMinMaxVars"):
        return "rounds activations, which TF.js does not do; save the model without it"
    floating = fused.attribute(node, "T").type in _FLOATING
    if node.op == "Dilation2D" or (node.op == "OneHot" and floating):
        return "computes wrong numbers on WebAssembly"
    to_bool = node.op == "Cast" and fused.attribute(node, "DstT").type == _BOOL
    if to_bool and fused.attribute(node, "SrcT").type != _BOOL:
        return "casts numbers to bool, which is wrong on WebAssembly; compare with 0 instead"
    return None


def _sides(node: Any, key: str) -> tuple[int, ...]:
    return tuple(fused.attribute(node, key).list.i) or (1, 1, 1, 1)


_RULES: tuple[Callable[[Any, Mapping[str, Shape]], str | None], ...] = (
    _format,
    _dtype,
    _steps,
    _padding,
    _fused,
    _slopes,
    _chance,
    _other_numbers,
)
