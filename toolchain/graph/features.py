"""Finds a classifier's features: the input of its last dense layer, one row for each photo.

They are found by the graph's structure alone, so that the source's graph, the converted one and
a quantised one are read by the same rule.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from toolchain.graph.running import function_of, node_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from toolchain.graph.frozen import Frozen

    Array = np.ndarray[Any, Any]

_INPUT = "Placeholder"
_DENSE = frozenset(
    {"MatMul", "_FusedMatMul", "BatchMatMul", "BatchMatMulV2", "Conv2D", "_FusedConv2D"}
)
_OTHER_LAYERS = frozenset(
    {"DepthwiseConv2dNative", "FusedDepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3D"}
    | {"BatchMatMulV3", "SparseMatMul", "Einsum"}
    # These may hold layers that are not seen here.
    | {"PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "StatelessWhile"}
)


def name_of(nodes: Mapping[str, tuple[str, Sequence[str]]], output: str) -> str | None:
    """Return the name of the node whose output are the features.

    Everything between the photo and the output goes through this node.

    Args:
        nodes: Each node's operation and inputs, by its name.
        output: Name of the node, or tensor, of the graph's output.

    Returns:
        The node before the last dense layer: a matrix product, or a convolution, with constant
        weights. None if there is no such layer, or more than one, as in an average of two
        networks.
    """
    nodes = {
        name: (operation, [source for source in inputs if not source.startswith("^")])
        for name, (operation, inputs) in nodes.items()
    }
    computed = _computed(nodes)
    layers: set[str] = set()
    waiting, seen = [node_of(output)], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in computed:
            continue
        seen.add(name)
        operation, inputs = nodes[name]
        if operation == _INPUT:
            return None
        if operation in _DENSE or operation in _OTHER_LAYERS:
            layers.add(name)
        else:
            waiting += [node_of(source) for source in inputs]
    if len(layers) != 1:
        return None
    operation, inputs = nodes[layers.pop()]
    if operation not in _DENSE or any(node_of(source) in computed for source in inputs[1:]):
        return None
    features = inputs[0].removesuffix(":0")
    return None if ":" in features else features


def name_in(frozen: Frozen) -> str | None:
    """Return the name of a frozen graph's node of features; None if it has none."""
    nodes = {node.name: (node.op, list(node.input)) for node in frozen.graph_def.node}
    return name_of(nodes, frozen.output)


def width_in(frozen: Frozen, picture: Array) -> int | None:
    """Return how many features a frozen graph has.

    Args:
        frozen: The graph.
        picture: One input, float32 `[1, height, width, 3]`.

    Returns:
        The number; None if there is no node of features, or if one photo has more than one row of
        them, as before a convolution over a map.
    """
    if (name := name_in(frozen)) is None:
        return None
    shape = function_of(frozen.graph_def, frozen.input, name)(picture).shape
    return int(shape[-1]) if len(shape) > 1 and prod(shape[:-1]) == 1 else None


def rows(features: Array) -> Array:
    """Return features of any rank, such as `[n, 1, 1, width]`, as rows, `[n, width]`."""
    return features.reshape(len(features), -1)


def _computed(nodes: Mapping[str, tuple[str, Sequence[str]]]) -> set[str]:
    """Return the nodes that depend on the photo."""
    readers: dict[str, list[str]] = {}
    for name, (_, inputs) in nodes.items():
        for source in inputs:
            readers.setdefault(node_of(source), []).append(name)
    found: set[str] = set()
    waiting = [name for name, (operation, _) in nodes.items() if operation == _INPUT]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += readers.get(name, [])
    return found
