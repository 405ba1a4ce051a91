"""Fuses a layer, its bias and its activation into one of TF.js' fused operations.

This is the inverse of `topology.unfused`. The result is the same as that of the converter's passes
(`fuse_prelu.py`, `fuse_depthwise_conv2d.py` and grappler's remapper in `tensorflowjs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.tfjs_graph import fused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FUSED = {layer: operation for operation, layer in fused.FUSED.items()}
_ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu", "Prelu"})


def fuse(nodes: Iterable[Any], output: str, shapes: Mapping[str, tuple[int, ...]]) -> list[Any]:
    """Return the nodes, in order, with every chain of layer, BiasAdd and activation fused.

    A PReLU that was split for TensorFlow becomes one operation first.

    Args:
        nodes: `NodeDef`s, each after its inputs.
        output: Name of the graph's output node, which keeps its name.
        shapes: Shapes of the constants, by name.
    """
    graph = _Graph(_with_prelus(_Graph(nodes, output), shapes), output)
    replaced: dict[str, Any] = {}
    swallowed: set[str] = set()
    for node in graph.nodes:
        if node.op not in _FUSED:
            continue
        add = graph.only_reader(node.name)
        if add is None or add.op != "BiasAdd" or add.input[0].split(":")[0] != node.name:
            continue
        chain = [node, add]
        activation = graph.only_reader(add.name)
        if activation is not None and activation.op in _ACTIVATIONS:
            chain.append(activation)
        for length in range(len(chain), 1, -1):
            made = _fused(chain[:length])
            if fused.obstacle(made, shapes) is None:
                replaced[made.name] = made
                swallowed.update(link.name for link in chain[: length - 1])
                break
    return [replaced.get(node.name, node) for node in graph.nodes if node.name not in swallowed]


class _Graph:
    """Nodes in order, and the readers of each."""

    def __init__(self, nodes: Iterable[Any], output: str) -> None:
        self.nodes = list(nodes)
        self.by_name = {node.name: node for node in self.nodes}
        self._output = output
        self._readers: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.input:
                self._readers[source.lstrip("^").split(":")[0]].append(node.name)

    def only_reader(self, name: str) -> Any | None:
        """Return the only node that reads a node; None if several do, or if it is the output."""
        if name == self._output or len(self._readers[name]) != 1:
            return None
        return self.by_name[self._readers[name][0]]


def _with_prelus(graph: _Graph, shapes: Mapping[str, tuple[int, ...]]) -> list[Any]:
    """Return the nodes with one `Prelu` in place of the nodes of `fused.without_prelu`."""
    replaced: dict[str, Any] = {}
    swallowed: set[str] = set()
    for node in graph.nodes:
        parts = fused.parts_of_prelu(node.name)
        below = [graph.by_name.get(name) for name in parts]
        if node.op != "Sub" or any(part is None for part in below):
            continue
        if any(graph.only_reader(name) is None for name in parts):
            continue
        slopes = graph.by_name[parts[-1]].input[0]
        if not fused.prelu_is_by_channel(shapes.get(slopes)):
            continue
        prelu = type(node)(name=node.name, op="Prelu")
        prelu.input.extend([graph.by_name[parts[0]].input[0], slopes])
        replaced[node.name] = prelu
        swallowed.update(parts)
    return [replaced.get(node.name, node) for node in graph.nodes if node.name not in swallowed]


def _fused(chain: list[Any]) -> Any:
    layer, add = chain[:2]
    made = type(layer)()
    made.CopyFrom(layer)
    made.name = chain[-1].name
    made.op = _FUSED[layer.op]
    made.input.append(add.input[1])
    made.attr["fused_ops"].list.s.extend(link.op.encode() for link in chain[1:])
    if chain[-1].op == "Prelu":
        made.input.append(chain[-1].input[1])
    made.attr["num_args"].i = len(made.input) - len(layer.input)
    return made
