"""Cross-layer equalisation: moves scale between two layers where the network stays the same.

Where a channel passes from one layer to the next through nothing but a ReLU or nothing at
all, it may be divided by a factor on one side and multiplied by it on the other; the
factors here make the channel's largest weights the same on both (Nagel et al. 2019,
arXiv:1906.04721, § 4.1). A ReLU6 allows it only where the channel never reaches 6.

With a step for each channel and rounding errors that are handed on, theory leaves it
nothing to gain at fine steps, for the factors cancel out of the errors' product; it is a
choice of `Methods` that is off unless it measurably helps.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.compress.network import channels_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolchain.compress.network import Layer, Network

    Array = np.ndarray[Any, Any]

_FURTHEST = 8.0
"""A factor is at most this, either way: float16 biases must still hold it."""


def equalise(network: Network, reach: Mapping[str, Array]) -> Network:
    """Return the same network with scales moved between neighbouring layers.

    Args:
        network: A canonical network; it is left as it is.
        reach: How far each output channel of a layer goes up, `[channels]` by the layer's
            name; layers before a ReLU6 that are absent stay as they are.
    """
    readers = network.consumers()
    result = network.with_weights({})
    by_input = {layer.input: layer for layer in network.layers}
    for layer in network.layers:
        ceiling, end = _end_of(network, readers, layer)
        after = by_input.get(end)
        if after is None or readers[end] != [after.name]:
            continue
        factors = _factors(result, layer, after, ceiling, reach.get(layer.name))
        if factors is None:
            continue
        changed = {
            layer.kernel: _on_outputs(result, layer, 1 / factors),
            layer.bias: (result.weights[layer.bias] / factors).astype(np.float32),
            after.kernel: _on_inputs(result, after, factors),
        }
        result = result.with_weights(changed)
    return result


def _end_of(network: Network, readers: Mapping[str, list[str]], layer: Layer) -> tuple[float, str]:
    """Return where a layer's channels are clipped, and the node behind which they go on."""
    (end,) = readers[layer.name]
    ceiling = inf
    following = readers[end]
    passed = network.nodes.get(following[0]) if len(following) == 1 else None
    if passed is not None and passed.op in ("Relu", "Relu6"):
        end = passed.name
        ceiling = 6.0 if network.nodes[end].op == "Relu6" else inf
    return ceiling, end


def _factors(
    network: Network, layer: Layer, after: Layer, ceiling: float, reach: Array | None
) -> Array | None:
    """Return what each channel is divided by on its way; None where nothing may move."""
    kernel = network.weights[layer.kernel]
    channels = channels_of(kernel.shape, layer.kind)
    following = network.weights[after.kernel]
    inputs = following.shape[0] if after.kind == "dense" else following.shape[2]
    if inputs != channels or (ceiling < inf and reach is None):
        return None
    before = np.abs(kernel.reshape(-1, channels)).max(axis=0)
    behind = _largest_by_input(following, after)
    factors: Array = np.sqrt(np.maximum(before, 1e-12) / np.maximum(behind, 1e-12))
    factors /= np.exp(np.log(factors).mean())
    factors = np.clip(factors, 1 / _FURTHEST, _FURTHEST)
    if ceiling < inf and reach is not None:
        # The channel must stay under the ceiling after it is divided, as it does before.
        free = reach < ceiling
        factors = np.where(free, np.maximum(factors, reach / ceiling), 1.0)
    return factors


def _largest_by_input(kernel: Array, layer: Layer) -> Array:
    largest: Array
    if layer.kind == "dense":
        largest = np.abs(kernel).max(axis=1)
    else:
        largest = np.abs(kernel).max(axis=(0, 1, 3))
    return largest


def _on_outputs(network: Network, layer: Layer, factors: Array) -> Array:
    kernel = network.weights[layer.kernel]
    scaled = kernel.reshape(-1, len(factors)) * factors
    return scaled.reshape(kernel.shape).astype(np.float32)


def _on_inputs(network: Network, layer: Layer, factors: Array) -> Array:
    kernel = network.weights[layer.kernel]
    # Inputs are the last axis but one of every kind.
    scaled: Array = kernel * factors[:, None]
    return scaled.astype(np.float32)
