"""Measures how sensitive the network's output is to an error in each channel of each layer.

For a random direction v over the logits, the gradient of v·logits with respect to a layer's
bias is the effect of a constant error in that channel. Its mean square over photos and
directions is the diagonal of the Gauss–Newton matrix of the logits (as in second-order pruning,
Hassibi & Stork 1993, and HAWQ, Dong et al. 2019).

With a softmax the directions are centred, because adding a constant to all logits changes no
score. With sigmoids it does change the scores, so the directions are not centred. Outputs that
are scores already are replaced by their logarithms, which are logits of a softmax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from toolchain.progress import Progress
    from toolchain.quantize.layer_graph import LayerGraph
    from toolchain.records.card import Activation

    Array = np.ndarray[Any, Any]

_DIRECTIONS = 2  # for each photo; chosen, not measured
_LEAST_SCORE = 1e-30  # its inverse fits into float32


def measure(
    network: LayerGraph,
    images: Array,
    activation: Activation = "softmax",
    *,
    seed: int,
    progress: Progress,
) -> dict[str, Array]:
    """Return each layer's mean squared gradient by output channel, float64 `[channels]`.

    Args:
        network: The float network.
        images: A few dozen inputs, float32 `[n, height, width, 3]`.
        activation: What turns the network's outputs into scores.
        seed: Seed of the random directions.
        progress: Advances with each image.
    """
    tf = tensorflow.load()
    biases = {layer.name: tf.Variable(network.weights[layer.bias]) for layer in network.layers}
    run = _function_of_biases(network, biases, tf)
    random = np.random.default_rng(seed)
    watched = list(biases.values())
    total = [np.zeros(bias.shape, np.float64) for bias in watched]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def gradients(image: Any, direction: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for bias in watched:
                tape.watch(bias)
            outputs = run(image)
            if activation == "none":
                outputs = tf.math.log(tf.maximum(outputs, _LEAST_SCORE))
            answer = tf.reduce_sum(outputs * direction)
        return tape.gradient(answer, watched, unconnected_gradients="zero")

    classes = run(tf.constant(images[:1])).shape[-1]
    with progress.track("Measuring sensitivities", len(images), "photos") as tracker:
        for image in images:
            for _ in range(_DIRECTIONS):
                direction = random.standard_normal((1, classes)).astype(np.float32)
                if activation != "sigmoid":
                    direction -= direction.mean()
                found = gradients(tf.constant(image[None]), tf.constant(direction))
                for place, gradient in enumerate(found):
                    total[place] += gradient.numpy().astype(np.float64) ** 2
            tracker.advance(1)
    count = len(images) * _DIRECTIONS * classes
    return {name: sum_ / count for name, sum_ in zip(biases, total, strict=True)}


def _function_of_biases(network: LayerGraph, biases: dict[str, Any], tf: Any) -> Any:
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef()
    dilated = {layer.name: layer for layer in network.layers if set(layer.dilations) != {1}}
    for name in network.order():
        node = graph_def.node.add()
        node.CopyFrom(network.nodes[name])
        if name in network.weights:
            _set_value(node, network.weights[name], tf)
        if name in dilated:
            # TensorFlow has no gradient for dilated convolutions on the CPU.
            spread = graph_def.node.add(name=f"{name}/dilated", op="Const")
            spread.attr["dtype"].CopyFrom(node.attr["T"])
            kernel = network.weights[dilated[name].kernel]
            _set_value(spread, _with_gaps(kernel, dilated[name].dilations), tf)
            node.input[1] = spread.name
            node.attr["dilations"].list.i[:] = (1, 1, 1, 1)
    by_bias = {layer.bias: biases[layer.name] for layer in network.layers}

    def imported() -> None:
        # The prefix keeps these names apart from the nodes that read the variables.
        tf.import_graph_def(
            graph_def,
            name="network",
            input_map={f"{name}:0": bias.read_value() for name, bias in by_bias.items()},
        )

    wrapped = tf.compat.v1.wrap_function(imported, [])
    output = network.output if ":" in network.output else f"{network.output}:0"
    return wrapped.prune(f"network/{network.input}:0", f"network/{output}")


def _set_value(node: Any, value: Array, tf: Any) -> None:
    tensor = tf.make_tensor_proto(value, shape=value.shape)
    node.attr["value"].tensor.CopyFrom(tensor)


def _with_gaps(kernel: Array, dilations: tuple[int, ...]) -> Array:
    """Return the kernel with zeros inserted, which computes the same without dilation.

    Args:
        kernel: `[h, w, in, out]`.
        dilations: The node's attribute, `(1, down, right, 1)`.
    """
    _, down, right, _ = dilations
    height, width = kernel.shape[:2]
    sides = ((height - 1) * down + 1, (width - 1) * right + 1)
    spread = np.zeros((*sides, *kernel.shape[2:]), kernel.dtype)
    spread[::down, ::right] = kernel
    return spread
