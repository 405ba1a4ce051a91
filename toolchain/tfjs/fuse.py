"""Puts TF.js' fused operations together: a layer, its bias and its activation in one kernel.

The inverse of `execute.unfused`, and what the converter's own passes leave
(`fuse_prelu.py`, `fuse_depthwise_conv2d.py` and grappler's remapper in `tensorflowjs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_FUSED = {
    "Conv2D": "_FusedConv2D",
    "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative",
    "MatMul": "_FusedMatMul",
}
_ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu"})


def fuse(nodes: Iterable[Any], output: str) -> list[Any]:
    """Return the nodes, in order, with every layer → BiasAdd (→ activation) chain fused.

    Args:
        nodes: `NodeDef`s, each after its inputs.
        output: Name of the graph's output, which keeps its name.
    """
    ordered = list(nodes)
    by_name = {node.name: node for node in ordered}
    readers: dict[str, list[str]] = {node.name: [] for node in ordered}
    for node in ordered:
        for source in node.input:
            readers[source.lstrip("^").split(":")[0]].append(node.name)

    def only_reader(name: str) -> Any | None:
        if name == output or len(readers[name]) != 1:
            return None
        return by_name[readers[name][0]]

    replaced: dict[str, Any] = {}
    swallowed: set[str] = set()
    for node in ordered:
        if node.op not in _FUSED:
            continue
        add = only_reader(node.name)
        if add is None or add.op != "BiasAdd" or add.input[0].split(":")[0] != node.name:
            continue
        activation = only_reader(add.name)
        chain = [node, add]
        if activation is not None and activation.op in _ACTIVATIONS:
            chain.append(activation)
        replaced[chain[-1].name] = _fused(chain)
        swallowed.update(link.name for link in chain[:-1])
    return [replaced.get(node.name, node) for node in ordered if node.name not in swallowed]


def _fused(chain: list[Any]) -> Any:
    layer, add = chain[:2]
    fused = type(layer)()
    fused.CopyFrom(layer)
    fused.name = chain[-1].name
    fused.op = _FUSED[layer.op]
    fused.input.append(add.input[1])
    fused.attr["fused_ops"].list.s.extend(link.op.encode() for link in chain[1:])
    fused.attr["num_args"].i = 1
    return fused
