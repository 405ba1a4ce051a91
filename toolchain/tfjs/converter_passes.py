"""Prevents some of the converter's passes from changing what a graph computes.

These passes do not check whether other nodes read a chain of nodes, and take any sum for a bias:

- `fold_batch_norms` scales a convolution's kernel even if another node reads the convolution.
- `fuse_depthwise_conv2d` and `fuse_prelu` fuse a bias or an activation into a layer even if
  another node reads the layer without it.
- `normalize_bias_add` turns any sum after a layer into a bias. If the other term has another
  shape, so has the sum, and the later passes go wrong.

Here, a chain with other readers is copied first. Only a sum with one constant for each channel
becomes a bias, of rank 1.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.tfjs_graph import fused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_SPATIAL = frozenset({"Conv2D", "DepthwiseConv2dNative"})
_LAYERS = _SPATIAL | {"MatMul"}
_SUMS = frozenset({"Add", "AddV2"})
_NORMS = frozenset(
    {"BatchNormWithGlobalNormalization", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
)
_ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu"})


@contextlib.contextmanager
def guarded(converter: Any) -> Iterator[None]:
    """Replace the converter's passes with guarded ones within the block.

    Args:
        converter: The converter's module, from `converter.load()`.
    """
    folding, fusing = converter.fold_batch_norms, converter.fuse_prelu
    guards: list[tuple[Any, str, Callable[[Any], Any]]] = [
        (folding, "fold_batch_norms", _norms_apart),
        (converter.fuse_depthwise_conv2d, "fuse_depthwise_conv2d", _depthwise_apart),
        (fusing, "fuse_ops_for_prelu", _halves_apart),
        (fusing, "fuse_prelu_with_fused_conv2d_or_matmul", _prelus_apart),
    ]
    replacements = [
        (module, name, _behind(before, getattr(module, name))) for module, name, before in guards
    ]
    replacements.append((converter.normalize_bias_add, "normalize_bias_add_op", as_biases))
    originals = [(module, name, getattr(module, name)) for module, name, _ in replacements]
    _set(replacements)
    try:
        yield
    finally:
        _set(originals)


def _set(functions: Iterable[tuple[Any, str, Callable[[Any], Any]]]) -> None:
    for module, name, function in functions:
        setattr(module, name, function)


def _behind(before: Callable[[Any], Any], original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda graph: original(before(graph))


def as_biases(graph: Any) -> Any:
    """Turn the sums that are a layer's bias, one constant for each channel, into `BiasAdd`.

    Args:
        graph: A `GraphDef` whose constants hold their values; it is changed.

    Returns:
        The same graph.
    """
    from tensorflow.python.framework import tensor_util

    nodes = {node.name: node for node in graph.node}
    readers = _readers(graph)
    added: list[Any] = []
    for node in graph.node:
        if node.op not in _SUMS:
            continue
        for place, other in ((0, 1), (1, 0)):
            layer = nodes.get(node.input[place])
            term = nodes.get(node.input[other])
            if layer is None or term is None or term.op != "Const" or layer.op not in _LAYERS:
                continue
            kernel = nodes.get(layer.input[1])
            plain = fused.attribute(layer, "data_format").s in (b"", b"NHWC")
            if kernel is None or kernel.op != "Const" or not plain or readers[layer.name] != 1:
                continue
            channels = fused.channels_of(layer, _shape(kernel))
            rank = 2 if layer.op == "MatMul" else 4
            if not fused.by_channel(_shape(term), channels, rank):
                continue
            bias = term
            if _shape(term) != (channels,):
                values = tensor_util.MakeNdarray(term.attr["value"].tensor)
                bias = _constant(f"{node.name}/bias", np.resize(values.reshape(-1), channels))
                added.append(bias)
            node.op = "BiasAdd"
            node.attr["data_format"].s = b"NHWC"
            node.input[:2] = [layer.name, bias.name]
            break
    graph.node.extend(added)
    return graph


def _constant(name: str, values: np.ndarray[Any, Any]) -> Any:
    from tensorflow.core.framework import node_def_pb2
    from tensorflow.python.framework import tensor_util

    node = node_def_pb2.NodeDef(name=name, op="Const")
    tensor = tensor_util.make_tensor_proto(values)
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return node


def _shape(constant: Any) -> tuple[int, ...]:
    return tuple(side.size for side in constant.attr["value"].tensor.tensor_shape.dim)


def _norms_apart(graph: Any) -> Any:
    """Give every BatchNorm its own convolution, with its sum and its kernel."""
    nodes = {node.name: node for node in graph.node}
    sums = _SUMS | {"BiasAdd"}

    def is_folded(norm: Any) -> bool:
        source = nodes.get(norm.input[0])
        if source is not None and source.op in sums:
            terms = {term.op for term in map(nodes.get, source.input) if term is not None}
            return "Const" in terms and not terms.isdisjoint(_SPATIAL)
        return source is not None and source.op in _SPATIAL

    chain = dict.fromkeys(_NORMS, _SPATIAL | sums)
    chain |= dict.fromkeys(sums, _SPATIAL) | dict.fromkeys(_SPATIAL, frozenset({"Const"}))
    heads = [node for node in graph.node if node.op in _NORMS and is_folded(node)]
    return _chains_apart(graph, heads, chain)


def _depthwise_apart(graph: Any) -> Any:
    """Give every bias and activation its own depthwise convolution."""
    nodes = {node.name: node for node in graph.node}

    def is_of_depthwise(node: Any) -> bool:
        source = nodes.get(node.input[0])
        if source is not None and source.op == "BiasAdd" and node.op in _ACTIVATIONS:
            source = nodes.get(source.input[0])
        return source is not None and source.op in depthwise

    depthwise = frozenset({"DepthwiseConv2dNative"})
    ends = _ACTIVATIONS | {"BiasAdd"}
    heads = [node for node in graph.node if node.op in ends and is_of_depthwise(node)]
    chain = dict.fromkeys(_ACTIVATIONS, depthwise | {"BiasAdd"}) | {"BiasAdd": depthwise}
    return _chains_apart(graph, heads, chain)


def _halves_apart(graph: Any) -> Any:
    """Give every PReLU that consists of several operations its own halves and slopes."""
    nodes = {node.name: node for node in graph.node}
    heads = []
    for node in graph.node:
        above, scaled = (nodes.get(name) for name in (*node.input, "", "")[:2])
        if node.op in _SUMS and above is not None and scaled is not None and scaled.op == "Mul":
            factors = [nodes[name] for name in scaled.input if name in nodes]
            if above.op == "Relu" and {"Relu", "Const"} <= {factor.op for factor in factors}:
                heads.append(node)
    chain = dict.fromkeys(_SUMS, frozenset({"Relu", "Mul"}))
    chain |= {"Mul": frozenset({"Relu", "Const"}), "Relu": frozenset({"Neg"})}
    return _chains_apart(graph, heads, chain)


def _prelus_apart(graph: Any) -> Any:
    """Give every PReLU its own layer."""
    heads = [node for node in graph.node if node.op == "Prelu"]
    return _chains_apart(graph, heads, {"Prelu": frozenset(fused.FUSED)})


def _chains_apart(graph: Any, heads: Iterable[Any], chain: Mapping[str, frozenset[str]]) -> Any:
    """Copy the nodes of chains that other nodes read too.

    Args:
        graph: A `GraphDef`; it is changed.
        heads: The last nodes of the chains, from which they are followed backwards.
        chain: The operations of inputs that belong to the chain, by the node's operation.

    Returns:
        The same graph.
    """
    nodes = {node.name: node for node in graph.node}
    readers = _readers(graph)
    waiting = list(heads)
    while waiting:
        head = waiting.pop()
        for place, name in enumerate(head.input):
            source = nodes.get(name)
            if source is None or source.op not in chain.get(head.op, ()):
                continue
            if readers[name] > 1:
                readers[name] -= 1
                source = graph.node.add()
                source.CopyFrom(nodes[name])
                source.name = f"{name}/for/{head.name}/{place}"
                nodes[source.name] = source
                head.input[place] = source.name
                readers[source.name] = 1
                for read in source.input:
                    readers[_node_of(read)] += 1
            waiting.append(source)
    return graph


def _readers(graph: Any) -> dict[str, int]:
    """Return how often the first output of each node is read."""
    count = {node.name: 0 for node in graph.node}
    for node in graph.node:
        for name in node.input:
            source = _node_of(name)
            count[source] = count.get(source, 0) + 1
    return count


def _node_of(reference: str) -> str:
    return reference.lstrip("^").partition(":")[0]
