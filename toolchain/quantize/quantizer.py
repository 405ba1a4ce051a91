"""Quantises a network layer by layer at one level of coarseness.

Every channel's step is chosen so that its rounding error, weighted by how much the
network's answer feels it, is the same everywhere. At equal slopes of bytes against error
no other division of the bytes is better (reverse water-filling: Cover & Thomas, ch. 10;
for GPTQ's errors the Cholesky diagonal takes the place of the variance). So one number,
the coarseness, says how many bytes the whole network takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.quantize import bias_correction, clipping, moments, pruning, rounding, sampling
from toolchain.quantize.layer_graph import Layer, LayerGraph, channels_of
from toolchain.quantize.walk import Walk
from toolchain.records.plan import TensorPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolchain.progress import Progress
    from toolchain.quantize.moments import Moments
    from toolchain.quantize.statistics import ChannelMoments

    Array = np.ndarray[Any, Any]

_FEW = 4.0
"""Kernels with few weights a channel get steps finer by this: they cost next to nothing."""
_FEW_INPUTS = 32
_LEAST = 0.3  # of a layer's mean sensitivity: below, a channel only slept in the samples
_LEAST_LAYER = 1e-8
"""Of the layers' mean sensitivity: a layer that no sample wakes at all is still worth that.

Its weights would all be rounded to zero otherwise, whatever a photo might make of them.
"""
_STEPS_AN_OCTAVE = 8
_LARGEST_STEP = 2.0**15  # float16 has room for it


@dataclass(frozen=True)
class Quantized:
    """A network after quantisation."""

    kernels: dict[str, rounding.Rounded]
    """By the kernel's name; `[inputs, channels]`, inputs in the kernel's C order."""
    biases: dict[str, Array]
    """By the bias' name, float32 `[channels]`."""
    tensors: tuple[TensorPlan, ...]

    def applied_to(self, network: LayerGraph) -> LayerGraph:
        """Return the float network with the weights that the page decodes."""
        decoded = {
            name: rounded.decode().reshape(network.weights[name].shape)
            for name, rounded in self.kernels.items()
        }
        return network.with_weights(decoded | self.biases)

    @property
    def bytes(self) -> int:
        """About the bytes that the kernels and biases take behind an entropy coder."""
        return sum(tensor.bytes for tensor in self.tensors) + sum(
            2 * bias.size for bias in self.biases.values()
        )


@dataclass(frozen=True)
class Methods:
    """What rounding does; each can be left out to see what it brings."""

    second_order: bool = True
    """Hand rounding errors on to the weights still to come (`rounding.py`)."""
    refit: bool = True
    """First fit weights to what the layers before, rounded, give."""
    bias_correction: bool = True
    """Keep the mean of every output channel (`bias_correction.py`)."""
    clipping: bool = True
    """Where a byte's levels decide the step, clip what is far out (`clipping.py`)."""
    finer_small_kernels: bool = True
    """Finer steps for kernels of few weights a channel, which cost next to nothing."""
    dead_zone: float = 0.6
    """Weights nearer to zero than this, in steps, become zero (`pruning.py`)."""


@dataclass(frozen=True)
class _Fixed:
    """What a layer reads, taken as the same whatever the layers before are rounded to."""

    mean: Array
    decomposed: rounding.Decomposed


class Quantizer:
    """Holds what does not change from one coarseness to another.

    Args:
        network: The float network; it is left as it is.
        images: Calibration inputs, float32 `[n, height, width, 3]`.
        sensitivities: From :func:`toolchain.quantize.sensitivity.measure`.
        known: What BatchNorm knows of layers' inputs, by the layer's name; None where the
            images are photos. Of generated pictures it is worth more than what they say.
        methods: What to do.
        seed: Of the choice of samples.
        progress: Hears of each layer.
    """

    def __init__(
        self,
        network: LayerGraph,
        images: Array,
        sensitivities: Mapping[str, Array],
        *,
        known: Mapping[str, ChannelMoments] | None = None,
        methods: Methods | None = None,
        seed: int,
        progress: Progress,
    ) -> None:
        self._float = network
        self._images = images
        self._sensitivities = sensitivities
        means = [felt.mean() for felt in sensitivities.values()]
        self._least_felt = _LEAST_LAYER * float(np.mean(means)) or 1.0
        self._methods = methods or Methods()
        self._seed = seed
        walk = Walk(network, images)
        self._inputs: list[_Fixed | Array] = []
        self._allowed: list[Array] = []
        self._finest = [self._finest_steps(layer) for layer in network.layers]
        with progress.track("Measuring layers", len(network.layers), "layers") as tracker:
            for layer in network.layers:
                rows = self._rows(walk, layer)
                found = moments.of_rows(layer, rows)
                if known is not None:
                    shape = network.weights[layer.kernel].shape
                    guess = moments.guessed(layer, found, shape[-2])
                    found = moments.informed(layer, found, known.get(layer.name, guess))
                decomposed = self._decomposed(found)
                if known is not None:
                    self._inputs.append(_Fixed(found.mean, decomposed))
                else:
                    # A depthwise kernel is not refitted, so its mean input is all that is kept.
                    few = layer.kind == "depthwise"
                    self._inputs.append(rows.mean(0, keepdims=True) if few else rows)
                self._allowed.append(self._unit(layer, decomposed))
                tracker.advance(1)
        self.float_outputs = walk.finish()
        """The float network's output for the images, float32 `[n, classes]`."""

    def release(self) -> None:
        """Let go of the samples, which take hundreds of megabytes; it cannot run any more."""
        self._inputs.clear()

    def estimate(self, coarseness: float) -> int:
        """Return about the bytes that :func:`run` would come to, without running it."""
        total = 0.0
        for layer, allowed, finest in zip(
            self._float.layers, self._allowed, self._finest, strict=True
        ):
            weights = _as_matrix(self._float.weights[layer.kernel], layer)
            steps = steps_on_grid(coarseness * allowed, finest)
            values = pruning.to_levels(weights / steps, self._methods.dead_zone)
            total += entropy(values) * weights.size / 8 + 3 * steps.size
        return round(total)

    def coarseness_for(self, wanted: int) -> float:
        """Return the coarseness at which :func:`estimate` comes to `wanted` bytes."""
        low, high = 1e-9, 1e3  # finer and coarser than any network takes
        for _ in range(40):
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if self.estimate(middle) > wanted else (low, middle)
        return high

    def run(self, coarseness: float, progress: Progress) -> Quantized:
        """Quantise all layers, each by the inputs that the ones before it now give."""
        network = self._float.with_weights({})
        walk = Walk(network, self._images)
        kernels: dict[str, rounding.Rounded] = {}
        biases: dict[str, Array] = {}
        tensors: list[TensorPlan] = []
        with progress.track("Rounding layers", len(network.layers), "layers") as tracker:
            for layer, inputs, allowed, finest in zip(
                network.layers, self._inputs, self._allowed, self._finest, strict=True
            ):
                kernel = self._float.weights[layer.kernel]
                weights = _as_matrix(kernel, layer).astype(np.float64)
                steps = steps_on_grid(coarseness * allowed, finest)
                if isinstance(inputs, _Fixed):
                    rounded = self._round(layer, weights, inputs.decomposed, steps)
                    found = expected = inputs.mean
                else:
                    rows = self._rows(walk, layer)
                    rounded, found = self._round_by(rows, layer, weights, inputs, steps)
                    expected = inputs.mean(axis=0, dtype=np.float64)
                # A kernel that several layers share is rounded for the first of them.
                rounded = kernels.get(layer.kernel, rounded)
                shift = bias_correction.shift(weights, expected, rounded.decode(), found)
                if not self._methods.bias_correction:
                    shift = np.zeros_like(shift)
                kernels[layer.kernel] = rounded
                biases[layer.bias] = _as_stored(self._float.weights[layer.bias] + shift)
                network.weights[layer.kernel] = rounded.decode().reshape(kernel.shape)
                network.weights[layer.bias] = biases[layer.bias]
                tensors.append(_describe(layer, kernel, weights, rounded))
                tracker.advance(1)
        return Quantized(kernels, biases, tuple(tensors))

    def _unit(self, layer: Layer, decomposed: rounding.Decomposed) -> Array:
        """Return the step of each channel at which its error is felt as one unit."""
        felt = self._sensitivities[layer.name]
        felt = np.maximum(felt, _LEAST * felt.mean() + self._least_felt)
        small = len(decomposed.order) <= _FEW_INPUTS and self._methods.finer_small_kernels
        unit: Array = rounding.unit_steps(decomposed) / np.sqrt(felt)
        return unit / _FEW if small else unit

    def _round_by(
        self, rows: Array, layer: Layer, weights: Array, reference: Array, steps: Array
    ) -> tuple[rounding.Rounded, Array]:
        """Round by samples of what the layer reads now; return the mean of those too."""
        found = moments.of_rows(layer, rows)
        if layer.kind != "depthwise" and self._methods.refit:
            weights = rounding.refit(weights, found.spread, rows, reference)
        return self._round(layer, weights, self._decomposed(found), steps), found.mean

    def _round(
        self, layer: Layer, weights: Array, decomposed: rounding.Decomposed, steps: Array
    ) -> rounding.Rounded:
        depthwise = layer.kind == "depthwise"
        round_layer = rounding.round_depthwise if depthwise else rounding.round_weights
        return round_layer(weights, decomposed, steps, self._methods.dead_zone)

    def _decomposed(self, inputs: Moments) -> rounding.Decomposed:
        spread = inputs.spread
        if not self._methods.second_order:
            # Nothing varies together, so nothing is handed on.
            spread = spread * np.eye(spread.shape[-1])
        return rounding.decompose(spread)

    def _finest_steps(self, layer: Layer) -> Array:
        """Return the finest steps that a byte's levels allow."""
        weights = _as_matrix(self._float.weights[layer.kernel], layer)
        if self._methods.clipping:
            return clipping.finest_steps(weights, rounding.LARGEST)
        finest: Array = np.abs(weights).max(axis=0) / rounding.LARGEST
        return finest

    def _rows(self, walk: Walk, layer: Layer) -> Array:
        shape = self._float.weights[layer.kernel].shape
        return sampling.rows(layer, shape, walk.inputs_of(layer), seed=self._seed)


def _as_matrix(kernel: Array, layer: Layer) -> Array:
    """Return a kernel as `[inputs, channels]`."""
    return kernel.reshape(-1, channels_of(kernel.shape, layer.kind))


def steps_on_grid(wanted: Array, finest: Array) -> Array:
    """Return steps on a logarithmic grid, near `wanted` and at least `finest`, float32.

    The grid keeps the table of steps small; an eighth of an octave is finer than any
    difference it makes. Steps are float16 numbers, so that either form stores them alike.
    """
    exponents = np.rint(np.log2(np.maximum(wanted, 1e-30)) * _STEPS_AN_OCTAVE)
    needed = np.ceil(np.log2(np.maximum(finest, 1e-30)) * _STEPS_AN_OCTAVE)
    steps: Array = 2.0 ** (np.maximum(exponents, needed) / _STEPS_AN_OCTAVE)
    steps = np.minimum(steps, _LARGEST_STEP)
    halves = np.nextafter(steps.astype(np.float16), np.float16(np.inf))
    normal = steps > np.finfo(np.float16).smallest_normal
    return np.where(normal, halves, steps).astype(np.float32)


def _as_stored(bias: Array) -> Array:
    """Round a bias to float16, as it is stored, where it fits there."""
    if np.abs(bias).max(initial=0) < np.finfo(np.float16).max:
        return bias.astype(np.float16).astype(np.float32)
    return bias.astype(np.float32)


def _describe(layer: Layer, kernel: Array, weights: Array, rounded: rounding.Rounded) -> TensorPlan:
    bits = entropy(rounded.values)
    scale = float(np.sqrt(np.mean(weights**2))) or 1.0
    return TensorPlan(
        name=layer.kernel,
        kind=layer.kind,
        shape=kernel.shape,
        bits=bits,
        bytes=round(bits * rounded.values.size / 8) + rounded.steps.size,
        low=float(weights.min(initial=0)),
        high=float(weights.max(initial=0)),
        zeros=float((rounded.values == 0).mean()) if rounded.values.size else 0.0,
        step=float(np.exp(np.log(rounded.steps).mean())),
        error=float(np.sqrt(np.mean((weights - rounded.decode()) ** 2))) / scale,
    )


def entropy(values: np.ndarray[Any, Any]) -> float:
    """Return the order-0 entropy of integers, in bits for each; 0 for an empty array."""
    if values.size == 0:
        return 0.0
    # Counting is ten times as fast as sorting, and levels are few.
    counts = np.bincount(values.ravel().astype(np.int64) - int(values.min()))
    shares = counts[counts > 0] / values.size
    return float(-(shares * np.log2(shares)).sum())
