"""Makes a network canonical, so that quantisation has to handle one form of each layer.

Kernels of dense layers become `[in, out]`. Factors after a layer are multiplied into its kernel,
constants added after it into its bias. Every layer gets a bias of its own, because bias
correction needs one.

A factor or a constant is moved only if it varies along the channels alone: aligned with the
layer's output from the right, as in broadcasting, every dimension but the last is 1. The number
of values proves nothing: a constant with as many values as there are channels may lie along
another axis, and one of a higher rank raises the rank of the output.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.quantize.layer_graph import (
    KINDS,
    Layer,
    LayerGraph,
    channels_of,
    kernel_of,
    node_of,
    sources,
    tensor,
)
from toolchain.tfjs_graph import topology as tfjs_topology
from toolchain.tfjs_graph import weights as tfjs_weights
from toolchain.tfjs_graph.fused import attribute, by_channel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Array = np.ndarray[Any, Any]

_SUMS = frozenset({"AddV2", "Add", "AddN"})


def read(folder: Path, model_json: str) -> LayerGraph:
    """Read float32 TF.js artifacts as a canonical network.

    Raises:
        BadInputError: The graph has no layer with weights, or weights with NaN or infinity.
    """
    model = json.loads((folder / model_json).read_text("utf-8"))
    weights = tfjs_weights.decode_weights(folder, model)
    for name, value in weights.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise BadInputError(
                f"the weight {name} holds NaN or infinity; train or export the model again"
            )
    nodes = {node.name: node for node in tfjs_topology.unfused(model).node}
    for node in nodes.values():
        # Control inputs are dropped: no node here has a side effect to wait for.
        node.input[:] = [tensor(name) for name in node.input if not name.startswith("^")]
    (source,) = (entry["name"] for entry in model["signature"]["inputs"].values())
    (target,) = (entry["name"] for entry in model["signature"]["outputs"].values())
    network = LayerGraph(
        nodes=nodes,
        weights={name: np.array(value) for name, value in weights.items()},
        input=node_of(source),
        output=tensor(target),
        signature=model["signature"],
    )
    _make_canonical(network)
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


def _layers(network: LayerGraph) -> Iterator[Layer]:
    consumers = network.consumers()
    for name in network.order():
        node = network.nodes[name]
        kernel = kernel_of(network, node)
        if kernel is None:
            continue
        add = network.nodes[consumers[name][0]]
        spatial = node.op != "MatMul"
        yield Layer(
            name=name,
            kind=KINDS[node.op],
            input=node.input[0],
            kernel=kernel,
            bias=sources(add)[1],
            strides=tuple(attribute(node, "strides").list.i) if spatial else (1, 1, 1, 1),
            padding=attribute(node, "padding").s.decode() if spatial else "VALID",
            dilations=(tuple(attribute(node, "dilations").list.i) or (1, 1, 1, 1))
            if spatial
            else (1, 1, 1, 1),
        )


def _make_canonical(network: LayerGraph) -> None:
    """Make a network canonical, in place. It computes the same as before."""
    _transpose_kernels(network)
    _separate_kinds(network)
    _fold_factors(network)
    _give_biases(network)
    _fold_sums(network)


def _transpose_kernels(network: LayerGraph) -> None:
    """Transpose the kernels of dense layers with `transpose_b`, and clear that attribute."""
    for name in network.order():
        node = network.nodes[name]
        kernel = sources(node)[1] if node.op == "MatMul" else ""
        turned = attribute(node, "transpose_b").b and not attribute(node, "transpose_a").b
        if turned and kernel in network.weights:
            node.input[1] = f"{kernel}/transposed"
            if node.input[1] not in network.nodes:
                value = np.ascontiguousarray(network.weights[kernel].T)
                _add_constant(network, node.input[1], value, kernel)
            node.attr["transpose_b"].b = False


def _separate_kinds(network: LayerGraph) -> None:
    """Give each kind of layer that shares a kernel its own copy: their channels differ."""
    first: dict[str, str] = {}
    for name in network.order():
        node = network.nodes[name]
        kernel = kernel_of(network, node)
        if kernel is None or first.setdefault(kernel, node.op) == node.op:
            continue
        node.input[1] = f"{kernel}/{node.op}"
        if node.input[1] not in network.nodes:
            _add_constant(network, node.input[1], network.weights[kernel].copy(), kernel)


def _fold_factors(network: LayerGraph) -> None:
    """Multiply factors that scale a layer's output by channel into its kernel."""
    consumers = network.consumers()
    for name in network.order():
        node = network.nodes[name]
        layer, factor = _split(network, node) if node.op == "Mul" else (None, "")
        kernel = None if layer is None else kernel_of(network, network.nodes[layer])
        if layer is None or kernel is None:
            continue
        # Any other reader of the layer or of its kernel would see the factor too.
        if consumers[layer] != [name] or consumers[kernel] != [layer]:
            continue
        value, by = network.weights[kernel], network.weights[factor]
        if not _is_by_channel(network, layer, by):
            continue
        channels = channels_of(value.shape, KINDS[network.nodes[layer].op])
        scaled = value.reshape(-1, channels) * by.reshape(-1)
        network.weights[kernel] = scaled.reshape(value.shape).astype(np.float32)
        _bypass(network, name, layer)
        consumers = network.consumers()


def _give_biases(network: LayerGraph) -> None:
    """Put a `BiasAdd` after every layer, with a constant that nothing else reads."""
    for name in network.order():
        node = network.nodes[name]
        kernel = kernel_of(network, node)
        if kernel is None:
            continue
        channels = channels_of(network.weights[kernel].shape, KINDS[node.op])
        consumers = network.consumers()
        add = _bias_behind(network, name, consumers[name])
        if add is None:
            _insert_bias(network, name, channels)
            continue
        bias = sources(add)[1]
        if len(consumers[bias]) > 1:
            # TensorFlow merges equal constants, most often those of zeros.
            add.input[1] = f"{name}/bias"
            _add_constant(network, add.input[1], network.weights[bias].copy(), bias)


def _bias_behind(network: LayerGraph, layer: str, readers: list[str]) -> Any | None:
    """Return the node that adds a constant bias to a layer, if nothing else reads the layer."""
    add = network.nodes.get(readers[0]) if len(readers) == 1 else None
    if add is None or add.op != "BiasAdd" or sources(add)[0] != layer:
        return None
    last = attribute(add, "data_format").s in (b"", b"NHWC")
    return add if last and sources(add)[1] in network.weights else None


def _fold_sums(network: LayerGraph) -> None:
    """Move constants added after a layer into its bias."""
    for name in network.order():
        node = network.nodes[name]
        rest, term = _split(network, node) if node.op in ("AddV2", "Add") else (None, "")
        if rest is not None and _add_to_biases(network, rest, network.weights[term], reader=name):
            _bypass(network, name, rest)


def _split(network: LayerGraph, node: Any) -> tuple[str | None, str]:
    """Return a binary node's computed and its constant input; None if it has not one of each."""
    one, other = sources(node)
    if (one in network.weights) == (other in network.weights):
        return None, ""
    return (other, one) if one in network.weights else (one, other)


def _is_by_channel(network: LayerGraph, layer: str, constant: Array) -> bool:
    """Tell whether a constant varies along a layer's channels alone and keeps its shape."""
    node = network.nodes[layer]
    kernel = network.weights[sources(node)[1]]
    rank = 2 if node.op == "MatMul" else 4
    channels = channels_of(kernel.shape, KINDS[node.op])
    return constant.dtype == np.float32 and by_channel(constant.shape, channels, rank)


def _add_to_biases(network: LayerGraph, name: str, term: Array, reader: str) -> bool:
    """Add a constant to the bias of a layer that `name` is a sum with.

    Where the term keeps the shape of one of the summed, it may be added to that one first.
    """
    node = network.nodes[name]
    if network.consumers()[name] != [reader]:
        return False
    if node.op == "BiasAdd":
        layer, bias = sources(node)
        if kernel_of(network, network.nodes[layer]) is None:
            return False
        if not _is_by_channel(network, layer, term):
            return False
        network.weights[bias] = (network.weights[bias] + term.reshape(-1)).astype(np.float32)
        return True
    return node.op in _SUMS and any(
        _add_to_biases(network, source, term, reader=name) for source in sources(node)
    )


def _insert_bias(network: LayerGraph, layer: str, channels: int) -> None:
    from tensorflow.core.framework import node_def_pb2

    readers = network.consumers()[layer]
    bias = f"{layer}/bias"
    add = node_def_pb2.NodeDef(name=f"{layer}/biased", op="BiasAdd", input=[layer, bias])
    add.attr["T"].CopyFrom(network.nodes[layer].attr["T"])
    _replace(network, readers, layer, add.name)
    network.nodes[add.name] = add
    _add_constant(network, bias, np.zeros(channels, np.float32), sources(network.nodes[layer])[1])


def _add_constant(network: LayerGraph, name: str, value: Array, like: str) -> None:
    """Add a constant of the type of another one."""
    from tensorflow.core.framework import node_def_pb2

    node = node_def_pb2.NodeDef(name=name, op="Const")
    node.attr["dtype"].CopyFrom(network.nodes[like].attr["dtype"])
    network.nodes[name] = node
    network.weights[name] = value


def _bypass(network: LayerGraph, name: str, source: str) -> None:
    """Make every reader of `name` read `source` instead."""
    _replace(network, network.consumers()[name], name, source)


def _replace(network: LayerGraph, readers: list[str], old: str, new: str) -> None:
    for reader in set(readers) - {""}:
        inputs = network.nodes[reader].input
        inputs[:] = [new if name == old else name for name in inputs]
    if network.output == old:
        network.output = new
