"""Runs a network node by node, so that each layer's input can be seen as it comes by.

Rounding one layer after another needs the inputs that the layers before, already
rounded, really give. A walk computes every node once for all photos and forgets what
nobody reads any more; the weights it uses may change until the walk has passed them.
"""

from __future__ import annotations

import inspect
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.compress.network import sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.compress.network import Layer, Network

    Array = np.ndarray[Any, Any]


class Walk:
    """One pass over a network.

    Args:
        network: What to run; its `weights` are read when a node is computed.
        images: float32 `[n, height, width, 3]`.
        batch: Images at a time in one operation.
    """

    def __init__(self, network: Network, images: Array, batch: int = 16) -> None:
        tf = tensorflow.load()
        self._tf = tf
        self._network = network
        self._order = iter(network.order())
        self._readers = Counter(
            source for name in network.order() for source in sources(network.nodes[name])
        )
        self._values: dict[str, list[Any]] = {
            network.input: [
                tf.constant(images[at : at + batch]) for at in range(0, len(images), batch)
            ]
        }
        self._batches = len(self._values[network.input])

    def inputs_of(self, layer: Layer) -> list[Any]:
        """Go on until `layer` is next, and return the batches that it reads."""
        if layer.input not in self._values:
            for name in self._order:
                self._compute(name)
                if name == layer.input:
                    break
        return self._values[layer.input]

    def finish(self) -> Array:
        """Go on to the end and return the output of all images."""
        for name in self._order:
            self._compute(name)
        return np.concatenate([value.numpy() for value in self._values[self._network.output]])

    def _compute(self, name: str) -> None:
        network = self._network
        node = network.nodes[name]
        if name in self._values:
            return
        if name in network.weights:
            self._values[name] = [self._tf.constant(network.weights[name])] * self._batches
            return
        call = _operation(node, self._tf)
        inputs = [self._values[source] for source in sources(node)]
        self._values[name] = [call(*batch) for batch in zip(*inputs, strict=True)]
        for source in sources(node):
            self._readers[source] -= 1
            # The weights of the next layers may still change, so none is kept.
            if not self._readers[source] or source in network.weights:
                self._values.pop(source, None)


def _operation(node: Any, tf: Any) -> Callable[..., Any]:
    """Return a function of the node's inputs that computes it eagerly."""
    from tensorflow.python.framework import op_def_registry

    if node.op == "Const":
        constant = tf.constant(tf.make_ndarray(node.attr["value"].tensor))
        return lambda: constant
    function = getattr(tf.raw_ops, node.op)
    definition = op_def_registry.get(node.op)
    # Python's names for the inputs differ from the definition's, their order does not.
    accepted = list(inspect.signature(function).parameters)
    attributes = {key: _attribute(value, tf) for key, value in node.attr.items() if key in accepted}
    names = accepted[: len(definition.input_arg)]
    variadic = bool(definition.input_arg[0].number_attr)

    def call(*inputs: Any) -> Any:
        arguments = {names[0]: list(inputs)} if variadic else dict(zip(names, inputs, strict=True))
        return function(**arguments, **attributes)

    return call


def _attribute(value: Any, tf: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "type":
        return tf.dtypes.as_dtype(value.type)
    if kind == "list":
        return list(value.list.i) or [text.decode() for text in value.list.s]
    if kind == "s":
        return value.s.decode()
    if kind == "shape":
        return tf.TensorShape(value.shape)
    return getattr(value, kind)
