"""The float graph as compression sees it: a chain of weighted layers with cheap nodes between.

It is read from the converter's float32 output, the graph that really runs in the page,
with TF.js' fused operations taken apart. Before anything is quantised the graph is made
canonical: factors after a convolution go into its kernel, sums after it into its bias,
and every layer has a bias, for that is where quantisation's shift of the mean is undone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from toolchain.errors import BadInputError
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Array = np.ndarray[Any, Any]

Kind = Literal["convolution", "depthwise", "dense"]

_KINDS: dict[str, Kind] = {
    "Conv2D": "convolution",
    "DepthwiseConv2dNative": "depthwise",
    "MatMul": "dense",
}
_ADDITIONS = frozenset({"AddV2", "Add", "AddN", "BiasAdd"})


@dataclass(frozen=True)
class Layer:
    """One operation with a kernel."""

    name: str
    kind: Kind
    input: str
    """The node it reads."""
    kernel: str
    """Its weights: `[h, w, in, out]`, depthwise `[h, w, in, multiplier]`, dense `[in, out]`."""
    bias: str
    """The vector that a `BiasAdd` right behind it adds, float32 `[channels]`."""
    strides: tuple[int, ...] = (1, 1, 1, 1)
    padding: str = "VALID"
    dilations: tuple[int, ...] = (1, 1, 1, 1)


@dataclass
class Network:
    """A graph, its weights, and the layers among its nodes in the order they run."""

    nodes: dict[str, Any]
    """Name to `NodeDef`, unfused."""
    weights: dict[str, Array]
    input: str
    output: str
    signature: dict[str, Any]
    """As in `model.json`."""
    layers: tuple[Layer, ...] = field(default=())

    def with_weights(self, weights: dict[str, Array]) -> Network:
        """Return the same graph with other weights in place of those of the same names."""
        return replace(self, weights=self.weights | weights)

    def order(self) -> list[str]:
        """Return the nodes that the output depends on, each after its inputs."""
        ordered: list[str] = []
        seen: set[str] = set()
        stack = [(self.output, False)]
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
        """Return for each node the nodes that read it, once for each time they do."""
        readers: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name in self.order():
            for source in sources(self.nodes[name]):
                readers[source].append(name)
        return readers


def sources(node: Any) -> list[str]:
    """Return the names of a node's inputs, without output numbers and control marks."""
    return [name.lstrip("^").split(":")[0] for name in node.input]


def read(folder: Path, model_json: str) -> Network:
    """Read float32 TF.js artifacts as a canonical network.

    Raises:
        BadInputError: The graph has no layer with weights, or weights with NaN or infinity.
    """
    model = json.loads((folder / model_json).read_text("utf-8"))
    weights = execute.decode_weights(folder, model)
    for name, value in weights.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise BadInputError(
                f"the weight {name} holds NaN or infinity; train or export the model anew"
            )
    nodes = {node.name: node for node in execute.unfused(model).node}
    (source,) = (entry["name"] for entry in model["signature"]["inputs"].values())
    (target,) = (entry["name"] for entry in model["signature"]["outputs"].values())
    network = Network(
        nodes=nodes,
        weights={name: np.array(value) for name, value in weights.items()},
        input=source.split(":")[0],
        output=target.split(":")[0],
        signature=model["signature"],
    )
    _fold_factors(network)
    _fold_sums(network)
    network.layers = tuple(_layers(network))
    if not network.layers:
        raise BadInputError(
            "the graph has no convolution or dense layer to compress; build it with "
            "--quantize float16"
        )
    kept = set(network.order())
    network.nodes = {name: node for name, node in network.nodes.items() if name in kept}
    network.weights = {name: value for name, value in network.weights.items() if name in kept}
    return network


def _layers(network: Network) -> Iterator[Layer]:
    consumers = network.consumers()
    for name in network.order():
        node = network.nodes[name]
        kernel = sources(node)[1] if node.op in _KINDS else ""
        if kernel not in network.weights or not _is_plain(node):
            continue
        add = network.nodes[consumers[name][0]]
        attributes = node.attr
        spatial = node.op != "MatMul"
        yield Layer(
            name=name,
            kind=_KINDS[node.op],
            input=sources(node)[0],
            kernel=kernel,
            bias=sources(add)[1],
            strides=tuple(attributes["strides"].list.i) if spatial else (1, 1, 1, 1),
            padding=attributes["padding"].s.decode() if spatial else "VALID",
            dilations=(tuple(attributes["dilations"].list.i) or (1, 1, 1, 1))
            if spatial
            else (1, 1, 1, 1),
        )


def _is_plain(node: Any) -> bool:
    """Tell whether a layer is laid out as those of image classifiers are."""
    if node.op == "MatMul":
        return not (node.attr["transpose_a"].b or node.attr["transpose_b"].b)
    return node.attr["data_format"].s in (b"", b"NHWC")


def _fold_factors(network: Network) -> None:
    """Multiply what scales a layer's output by channel into its kernel."""
    consumers = network.consumers()
    for name in network.order():
        node = network.nodes[name]
        if node.op != "Mul":
            continue
        layer, factor = _split(network, node)
        if layer is None or network.nodes[layer].op not in _KINDS or consumers[layer] != [name]:
            continue
        kernel = sources(network.nodes[layer])[1]
        if kernel not in network.weights or consumers[kernel] != [layer]:
            continue
        value = network.weights[kernel]
        channels = channels_of(value.shape, _KINDS[network.nodes[layer].op])
        if network.weights[factor].size not in (1, channels):
            continue
        scaled = value.reshape(-1, channels) * network.weights[factor].reshape(-1)
        network.weights[kernel] = scaled.reshape(value.shape).astype(np.float32)
        _bypass(network, name, layer)
        consumers = network.consumers()


def _fold_sums(network: Network) -> None:
    """Give every layer a `BiasAdd` of its own, and move later constant sums into it."""
    for name in network.order():
        node = network.nodes[name]
        if node.op not in _KINDS or not _is_plain(node):
            continue
        kernel = network.weights.get(sources(node)[1])
        if kernel is None:
            continue
        readers = network.consumers()[name]
        add = network.nodes[readers[0]] if len(readers) == 1 else None
        if add is None or add.op != "BiasAdd" or sources(add)[1] not in network.weights:
            _insert_bias(network, name, channels_of(kernel.shape, _KINDS[node.op]))
    for name in network.order():
        node = network.nodes[name]
        if node.op not in ("AddV2", "Add"):
            continue
        rest, term = _split(network, node)
        if rest is not None and _absorb(network, rest, network.weights[term], reader=name):
            _bypass(network, name, rest)


def _split(network: Network, node: Any) -> tuple[str | None, str]:
    """Return a binary node's computed and constant input, None where it has not one each."""
    one, other = sources(node)
    if (one in network.weights) == (other in network.weights):
        return None, ""
    return (other, one) if one in network.weights else (one, other)


def _absorb(network: Network, name: str, term: Array, reader: str) -> bool:
    """Add a constant vector to the bias of a layer that `name` is a sum with."""
    node = network.nodes[name]
    if node.op not in _ADDITIONS or network.consumers()[name] != [reader]:
        return False
    if node.op == "BiasAdd":
        layer, bias = sources(node)
        value = network.weights.get(bias)
        if value is None or network.nodes[layer].op not in _KINDS or value.size != term.size:
            return False
        network.weights[bias] = (value + term.reshape(-1)).astype(np.float32)
        return True
    return any(_absorb(network, source, term, reader=name) for source in sources(node))


def _insert_bias(network: Network, layer: str, channels: int) -> None:
    from tensorflow.core.framework import node_def_pb2

    readers = network.consumers()[layer]
    bias = node_def_pb2.NodeDef(name=f"{layer}/bias", op="Const")
    add = node_def_pb2.NodeDef(name=f"{layer}/biased", op="BiasAdd", input=[layer, bias.name])
    kind = network.nodes[layer].attr["T"]
    bias.attr["dtype"].CopyFrom(kind)
    add.attr["T"].CopyFrom(kind)
    for reader in set(readers):
        _rewire(network.nodes[reader], layer, add.name)
    if network.output == layer:
        network.output = add.name
    network.nodes[bias.name], network.nodes[add.name] = bias, add
    network.weights[bias.name] = np.zeros(channels, np.float32)


def _bypass(network: Network, name: str, source: str) -> None:
    """Let all that reads `name` read `source` instead."""
    for reader in set(network.consumers()[name]):
        _rewire(network.nodes[reader], name, source)
    if network.output == name:
        network.output = source


def _rewire(node: Any, old: str, new: str) -> None:
    for index, name in enumerate(node.input):
        if name.split(":")[0] == old:
            node.input[index] = new


def channels_of(shape: tuple[int, ...], kind: Kind) -> int:
    """Return how many output channels a kernel of that shape makes."""
    return int(shape[2] * shape[3]) if kind == "depthwise" else int(shape[-1])
