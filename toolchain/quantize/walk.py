"""Runs a network node by node, and gives access to each layer's input on the way.

Rounding layer by layer needs the real inputs of each layer, computed by the rounded layers before
it. A walk computes every node once for all photos and frees tensors after their last reader.
Weights may be changed until the walk reaches the node that reads them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.quantize.layer_graph import tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolchain.quantize.layer_graph import Layer, LayerGraph

    Array = np.ndarray[Any, Any]


class Walk:
    """One pass over a network.

    Args:
        network: The network; its `weights` are read when a node is computed.
        images: float32 `[n, height, width, 3]`.
        batch: How many images one operation computes at a time.
    """

    def __init__(self, network: LayerGraph, images: Array, batch: int = 16) -> None:
        tf = tensorflow.load()
        self._tf = tf
        self._network = network
        self._order = iter(network.order())
        self._readers = Counter(
            source for name in network.order() for source in network.nodes[name].input
        )
        # The output is read at the end of the walk.
        self._readers[network.output] += 1
        self._values: dict[str, list[Any]] = {
            network.input: [
                tf.constant(images[at : at + batch]) for at in range(0, len(images), batch)
            ]
        }
        self._batches = len(self._values[network.input])
        self._bytes = self.most_bytes = images.nbytes
        """Peak bytes of the stored activations, without the batch being computed."""

    def inputs_of(self, layer: Layer) -> list[Any]:
        """Continue up to `layer`, and return its input, one tensor per batch."""
        while layer.input not in self._values:
            self._compute(next(self._order))
        return list(self._values[layer.input])

    def finish(self) -> Array:
        """Continue to the end and return the output for all images."""
        for name in self._order:
            self._compute(name)
        return np.concatenate([value.numpy() for value in self._values[self._network.output]])

    def _compute(self, name: str) -> None:
        network = self._network
        node = network.nodes[name]
        if name in self._values or name in network.weights:
            return
        call = _operation(node, self._tf)
        inputs = list(node.input)
        values = {source: self._read(source) for source in inputs}
        for source in inputs:
            self._readers[source] -= 1
        gone = [source for source in values if not self._readers[source]]
        kept: dict[str, list[Any]] = {}
        for batch in range(self._batches):
            for number, result in enumerate(call([values[source][batch] for source in inputs])):
                output = tensor(f"{name}:{number}")
                if self._readers[output]:
                    kept.setdefault(output, []).append(result)
                    self._bytes += _size(result)
            for source in gone:
                if source in self._values:
                    # Batch by batch, so that input and output are never both whole in memory.
                    self._bytes -= _size(values[source][batch])
                    values[source][batch] = None
        self.most_bytes = max(self.most_bytes, self._bytes)
        self._values |= kept
        for source in gone:
            self._values.pop(source, None)

    def _read(self, source: str) -> list[Any]:
        """Return the batches of a tensor. Weights are looked up each time: they may change."""
        weights = self._network.weights
        if source in weights:
            return [self._tf.constant(weights[source])] * self._batches
        return self._values[source]


def _size(value: Any) -> int:
    return int(value.dtype.size) * int(value.shape.num_elements())


def _operation(node: Any, tf: Any) -> Callable[[list[Any]], list[Any]]:
    """Return a function from a node's inputs, in their order, to its outputs.

    It calls the internal function beneath TensorFlow's Python functions, because those take the
    same inputs under other names, in another order or in lists.
    """
    from tensorflow.python.eager import context, execute
    from tensorflow.python.framework import op_def_registry

    if node.op == "Const":
        constant = tf.constant(tf.make_ndarray(node.attr["value"].tensor))
        return lambda _: [constant]
    definition = op_def_registry.get(node.op)
    known = {attribute.name for attribute in definition.attr}
    attributes: list[Any] = []
    for key, value in node.attr.items():
        if key in known:
            attributes += [key, _attribute(value, tf)]
    outputs = sum(_count(output, node) for output in definition.output_arg)

    def call(inputs: list[Any]) -> list[Any]:
        results: list[Any] = execute.execute(
            node.op.encode(), outputs, inputs, tuple(attributes), context.context()
        )
        return results

    return call


def _count(output: Any, node: Any) -> int:
    """Return the number of tensors in one output of an operation's definition."""
    if output.number_attr:
        return int(node.attr[output.number_attr].i)
    return len(node.attr[output.type_list_attr].list.type) if output.type_list_attr else 1


def _attribute(value: Any, tf: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "list":
        items = value.list
        filled: Iterator[str] = (field.name for field, _ in items.ListFields())
        name = next(filled, "i")
        listed = list(getattr(items, name))
        return [tf.TensorShape(shape) for shape in listed] if name == "shape" else listed
    if kind == "shape":
        return tf.TensorShape(value.shape)
    return getattr(value, kind)
