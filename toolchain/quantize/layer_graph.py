"""The float graph as quantisation sees it: layers with weights, and other nodes between them.

It is read from the converter's float32 output, the graph that runs in the page. TF.js' fused
operations are taken apart, and the graph is made canonical (`canonical.py`) before it is
quantised.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from toolchain.tfjs_graph.fused import attribute

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

Kind = Literal["convolution", "depthwise", "dense"]

KINDS: dict[str, Kind] = {
    "Conv2D": "convolution",
    "DepthwiseConv2dNative": "depthwise",
    "MatMul": "dense",
}
"""Operations that count as layers if their kernel is a constant."""


@dataclass(frozen=True)
class Layer:
    """One operation with a kernel."""

    name: str
    kind: Kind
    input: str
    """The tensor it reads: a node's name, and the output's number if it is not the first."""
    kernel: str
    """Its weights: `[h, w, in, out]`, depthwise `[h, w, in, multiplier]`, dense `[in, out]`."""
    bias: str
    """The constant that the `BiasAdd` right after it adds, float32 `[channels]`."""
    strides: tuple[int, ...] = (1, 1, 1, 1)
    padding: str = "VALID"
    dilations: tuple[int, ...] = (1, 1, 1, 1)


@dataclass
class LayerGraph:
    """A graph, its weights, and those of its nodes that are layers, in the order they run."""

    nodes: dict[str, Any]
    """`NodeDef` by name, unfused, inputs named as by :func:`tensor`, without control inputs."""
    weights: dict[str, Array]
    input: str
    """Name of the node that takes the images."""
    output: str
    """The output tensor, named as by :func:`tensor`."""
    signature: dict[str, Any]
    """As in `model.json`."""
    layers: tuple[Layer, ...] = field(default=())

    def with_weights(self, weights: dict[str, Array]) -> LayerGraph:
        """Return the same graph with these weights replaced, by name."""
        return replace(self, weights=self.weights | weights)

    def order(self) -> list[str]:
        """Return the nodes that the output depends on, each after its inputs."""
        ordered: list[str] = []
        seen: set[str] = set()
        stack = [(node_of(self.output), False)]
        while stack:
            name, entered = stack.pop()
            if entered:
                ordered.append(name)
                continue
            if name in seen:
                continue
            seen.add(name)
            stack.append((name, True))
            stack.extend((source, False) for source in reversed(sources(self.nodes[name])))
        return ordered

    def consumers(self) -> dict[str, list[str]]:
        """Return the readers of each node, a node twice if it reads it twice.

        The network's output has one more reader, with an empty name: the caller.
        """
        readers: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name in self.order():
            for source in sources(self.nodes[name]):
                readers[source].append(name)
        readers[node_of(self.output)].append("")
        return readers


def sources(node: Any) -> list[str]:
    """Return the names of the nodes that a node reads, in input order."""
    return [node_of(name) for name in node.input]


def tensor(reference: str) -> str:
    """Return a tensor's normal name: `node`, or `node:1` for its second output."""
    return reference.removesuffix(":0")


def node_of(reference: str) -> str:
    """Return the name of the node that outputs a tensor."""
    return reference.partition(":")[0]


def kernel_of(network: LayerGraph, node: Any) -> str | None:
    """Return the name of a layer's kernel, if it is a constant in the usual layout.

    Returns:
        The constant's name. None if the node is no layer, computes its kernel, transposes its
        inputs, has its channels first, or has explicit padding.
    """
    if node.op not in KINDS or sources(node)[0] in network.weights:
        return None
    kernel = sources(node)[1]
    if kernel not in network.weights or network.weights[kernel].dtype != np.float32:
        return None
    if node.op == "MatMul":
        turned = attribute(node, "transpose_a").b or attribute(node, "transpose_b").b
        return None if turned else kernel
    plain = attribute(node, "data_format").s in (b"", b"NHWC")
    return kernel if plain and attribute(node, "padding").s in (b"SAME", b"VALID") else None


def channels_of(shape: tuple[int, ...], kind: Kind) -> int:
    """Return the number of output channels of a kernel of this shape."""
    return int(shape[2] * shape[3]) if kind == "depthwise" else int(shape[-1])
