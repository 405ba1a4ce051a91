"""The part of a network behind one of its tensors, whose weights can be learned anew.

Biases and what stays of BatchNorm are constants of one axis; they stay as they are, so BatchNorm
computes as in inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.graph.running import node_of, sources_of, tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    Array = np.ndarray[Any, Any]

_LAYERS = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"})
_MAP = len("nhwc")


@dataclass(frozen=True)
class Tail:
    """A part of a graph, from one tensor to some later ones."""

    graph_def: Any
    """TensorFlow's `GraphDef`, without variables."""
    source: str
    """Name of the node whose output it takes."""
    targets: tuple[str, ...]
    """Names of the nodes whose outputs are its features."""
    weights: dict[str, Array]
    """The kernels of its layers by the names of their `Const` nodes."""

    def features(self, values: Any, weights: Mapping[str, Any]) -> Any:
        """Return the features as a tensor, while a graph or `tf.function` is being built.

        Args:
            values: Tensor of the source's output, float32 `[n, …]`.
            weights: Tensors or arrays that replace the kernels of these names.

        Returns:
            Tensor, float32 `[n, width]`: maps are averaged over the image, and all targets are put
            side by side.
        """
        tf = tensorflow.load()
        # An eager tensor has to enter the graph first; `import_graph_def` does not do that.
        fed = {tensor(name): tf.identity(value) for name, value in weights.items()}
        found = tf.import_graph_def(
            self.graph_def,
            input_map={tensor(self.source): tf.identity(values), **fed},
            return_elements=[tensor(target) for target in self.targets],
            name="tail",
        )
        rows = [
            tf.reduce_mean(each, axis=(1, 2)) if len(each.shape) == _MAP else each for each in found
        ]
        return tf.concat(rows, axis=1)


def find(graph_def: Any, source: str, targets: Sequence[str]) -> Tail:
    """Return the part of a graph between a tensor that all paths pass and later ones.

    Args:
        graph_def: A `GraphDef` without variables.
        source: Name of the node whose output it takes; it may be a target too.
        targets: Names of the nodes whose outputs are its features.
    """
    tf = tensorflow.load()
    nodes = {node.name: node for node in graph_def.node}
    kept = tf.compat.v1.graph_util.extract_sub_graph(graph_def, list(targets))
    weights: dict[str, Array] = {}
    waiting, seen = list(targets), {source}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        node = nodes[name]
        if node.op in _LAYERS and (kernel := _constant(nodes, node.input[1])) is not None:
            weights[kernel] = tf.make_ndarray(nodes[kernel].attr["value"].tensor)
        waiting += sources_of(node)
    return Tail(kept, source, tuple(targets), dict(sorted(weights.items())))


def with_constants(graph_def: Any, values: Mapping[str, Array]) -> Any:
    """Return a copy of a graph with other values in some of its `Const` nodes.

    Args:
        graph_def: A `GraphDef`.
        values: The values by the nodes' names; they may have other shapes than before.
    """
    tf = tensorflow.load()
    copy = type(graph_def)()
    copy.CopyFrom(graph_def)
    for node in copy.node:
        node.attr.pop("_output_shapes", None)
        if node.name in values:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
    return copy


def _constant(nodes: Mapping[str, Any], name: str) -> str | None:
    """Return the name of the `Const` node behind an input, or None."""
    node = nodes[node_of(name)]
    while node.op == "Identity":
        node = nodes[sources_of(node)[0]]
    return str(node.name) if node.op == "Const" else None
