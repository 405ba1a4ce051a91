"""The float graph as compression sees it: a chain of weighted layers with cheap nodes between.

It is read from the converter's float32 output, the graph that really runs in the page,
with TF.js' fused operations taken apart, and made canonical (`canonical.py`) before anything
is quantised.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from toolchain.tfjs.fused import attribute

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

Kind = Literal["convolution", "depthwise", "dense"]

KINDS: dict[str, Kind] = {
    "Conv2D": "convolution",
    "DepthwiseConv2dNative": "depthwise",
    "MatMul": "dense",
}
"""The operations that are layers where their kernel is a constant."""


@dataclass(frozen=True)
class Layer:
    """One operation with a kernel."""

    name: str
    kind: Kind
    input: str
    """The tensor it reads: a node's name, with the output's number where it is not the first."""
    kernel: str
    """Its weights: `[h, w, in, out]`, depthwise `[h, w, in, multiplier]`, dense `[in, out]`."""
    bias: str
    """The vector that a `BiasAdd` right behind it adds, float32 `[channels]`."""
    strides: tuple[int, ...] = (1, 1, 1, 1)
    padding: str = "VALID"
    dilations: tuple[int, ...] = (1, 1, 1, 1)


@dataclass
class LayerGraph:
    """A graph, its weights, and the layers among its nodes in the order they run."""

    nodes: dict[str, Any]
    """Name to `NodeDef`, unfused, with inputs named as by :func:`tensor` and no control inputs."""
    weights: dict[str, Array]
    input: str
    """Name of the node that stands for the images."""
    output: str
    """The tensor with the answer, named as by :func:`tensor`."""
    signature: dict[str, Any]
    """As in `model.json`."""
    layers: tuple[Layer, ...] = field(default=())

    def with_weights(self, weights: dict[str, Array]) -> LayerGraph:
        """Return the same graph with other weights in place of those of the same names."""
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
        """Return for each node the nodes that read it, once for each time they do.

        The network's output is read too, by whoever asks for it: it counts as a reader
        without a name.
        """
        readers: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name in self.order():
            for source in sources(self.nodes[name]):
                readers[source].append(name)
        readers[node_of(self.output)].append("")
        return readers


def sources(node: Any) -> list[str]:
    """Return the names of the nodes that a node reads, in the order of its inputs."""
    return [node_of(name) for name in node.input]


def tensor(reference: str) -> str:
    """Return the one name that a tensor has here: `node`, or `node:1` for its second output."""
    return reference.removesuffix(":0")


def node_of(reference: str) -> str:
    """Return the name of the node whose output a tensor is."""
    return reference.partition(":")[0]


def kernel_of(network: LayerGraph, node: Any) -> str | None:
    """Return the constant kernel of a layer that is laid out as classifiers' are.

    Returns:
        The constant's name. None where the node is no layer, computes its kernel, transposes
        what it multiplies, has its channels first, or is padded by numbers.
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
    """Return how many output channels a kernel of that shape makes."""
    return int(shape[2] * shape[3]) if kind == "depthwise" else int(shape[-1])
