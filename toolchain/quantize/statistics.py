"""Derives the moments of each layer's inputs from BatchNorm's statistics.

After BatchNorm a channel is assumed to be normal with mean beta and deviation |gamma|. After a
ReLU its moments are those of a clipped normal (Nagel et al. 2019, arXiv:1906.04721, § 4.2 and
appendix C). Sums add means and, assuming independent terms, variances.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.graph.batchnorm import norms
from toolchain.quantize.layer_graph import channels_of, sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolchain.graph.batchnorm import Normalised
    from toolchain.quantize.layer_graph import LayerGraph

    Array = np.ndarray[Any, Any]

_SAME = 1 - 1e-5  # least cosine of norms that belong to the same kernel; chosen, not measured
_CEILING = {"Relu": inf, "Relu6": 6.0}
_SUMS = frozenset({"Add", "AddV2", "AddN"})
_KEEP = frozenset({"Identity", "Pad", "PadV2", "MirrorPad"})
_AVERAGE = frozenset({"Mean", "AvgPool", "Reshape", "Squeeze"})


@dataclass(frozen=True)
class ChannelMoments:
    """Mean and variance of each channel of a layer's input."""

    means: Array
    """float64 `[channels]`."""
    variances: Array | None
    """float64 `[channels]`; None after pooling, which reduces them by an unknown amount."""


def of_inputs(network: LayerGraph, normalised: Sequence[Normalised]) -> dict[str, ChannelMoments]:
    """Return the moments of layers' inputs, by the layer's name.

    A layer is absent if BatchNorm tells nothing of its input: the first one, and those after a
    layer without BatchNorm or an operation whose effect on the moments is unknown.
    """
    outputs = of_outputs(network, normalised)
    known: dict[str, ChannelMoments] = {}
    for name in network.order():
        node = network.nodes[name]
        inputs = sources(node)
        if node.op == "BiasAdd" and inputs[0] in outputs:
            known[name] = outputs[inputs[0]]
        elif inputs and node.op in _SUMS:
            terms = [known.get(source) for source in inputs]
            if (sum_ := _sum(terms)) is not None:
                known[name] = sum_
        elif inputs and (moments := known.get(inputs[0])) is not None:
            if node.op in _CEILING and moments.variances is not None:
                known[name] = clipped(moments.means, moments.variances, _CEILING[node.op])
            elif node.op in _KEEP:
                known[name] = moments
            elif node.op in _AVERAGE:
                known[name] = ChannelMoments(moments.means, None)
    return {layer.name: known[layer.input] for layer in network.layers if layer.input in known}


def clipped(means: Array, variances: Array, ceiling: float) -> ChannelMoments:
    """Return the moments of normal channels clipped to 0…`ceiling`; `ceiling` may be infinite."""
    deviations = np.sqrt(np.maximum(variances, 1e-18))
    low = -means / deviations
    below, at_low = _normal(low)
    if ceiling == inf:
        above, at_high, high = np.zeros_like(means), np.zeros_like(means), np.zeros_like(means)
        ceiling = 0.0
    else:
        high = (ceiling - means) / deviations
        inside, at_high = _normal(high)
        above = 1 - inside
    between = 1 - above - below
    first = means * between + deviations * (at_low - at_high) + ceiling * above
    second = (
        (means**2 + deviations**2) * between
        + 2 * means * deviations * (at_low - at_high)
        + deviations**2 * (low * at_low - high * at_high)
        + ceiling**2 * above
    )
    return ChannelMoments(first, np.maximum(second - first**2, 0))


def _normal(value: Array) -> tuple[Array, Array]:
    """Return the standard normal distribution function and density."""
    from scipy.special import ndtr

    density: Array = np.exp(-(value**2) / 2) / np.sqrt(2 * np.pi)
    return ndtr(value), density


def _sum(terms: list[ChannelMoments | None]) -> ChannelMoments | None:
    means = variances = np.zeros(1)
    for term in terms:
        if term is None or term.variances is None:
            return None
        means, variances = means + term.means, variances + term.variances
    return ChannelMoments(means, variances)


def of_outputs(
    network: LayerGraph, normalised: Sequence[Normalised]
) -> Mapping[str, ChannelMoments]:
    """Return the moments of layers' outputs after the bias, by the layer's name.

    Each layer of the folded network is matched with one that was read before folding.
    """
    found: dict[str, ChannelMoments] = {}
    for layer in network.layers:
        kernel = network.weights[layer.kernel]
        channels = channels_of(kernel.shape, layer.kind)
        own = norms(kernel, channels)
        for other in normalised:
            # A factor on the whole input may have been folded in too, so only the direction of
            # the list of norms is compared.
            if other.shape == kernel.shape and _cosine(own, other.norms) > _SAME:
                found[layer.name] = ChannelMoments(
                    other.means.astype(np.float64), other.deviations.astype(np.float64) ** 2
                )
                break
    return found


def _cosine(one: Array, other: Array) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0
