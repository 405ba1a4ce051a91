"""Quantises a network layer by layer at one level of coarseness.

Each channel's step is chosen so that its rounding error, weighted by the network's sensitivity to
it, is the same for all channels. This is the best division of the bytes: the slope of bytes
against error is equal everywhere (reverse water-filling: Cover & Thomas, ch. 10; for GPTQ's errors
the Cholesky diagonal replaces the variance). So one number, the coarseness, sets the bytes of the
whole network.
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

_FINER = 4.0
"""Kernels with few inputs get steps finer by this factor. They take few bytes.

The factor was chosen; without it MobileNetV1 0.25 is expected to drop 0.86 points instead of 0.78
(`make bench-ablation`, 4.5 bits, docs/compression.md).
"""
_FEW_INPUTS = 32  # chosen, not measured
# Sensitivities of channels are at least this share of their layer's mean: lower ones are noise of
# the samples (docs/compression.md, "What was tried"). The share was chosen, not measured.
_LEAST = 0.3
_LEAST_LAYER = 1e-8
"""Sensitivities of layers are at least this share of the mean of all layers.

Without it, the weights of a layer that no sample activates would all be rounded to zero.
"""
_STEPS_AN_OCTAVE = 8
_LARGEST_STEP = 2.0**15  # fits into float16


@dataclass(frozen=True)
class Quantized:
    """A network after quantisation."""

    kernels: dict[str, rounding.Rounded]
    """By name of the kernel; `[inputs, channels]`, inputs in the kernel's C order."""
    biases: dict[str, Array]
    """By name of the bias, float32 `[channels]`."""
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
        """Estimated bytes of the kernels and biases after entropy coding."""
        return sum(tensor.bytes for tensor in self.tensors) + sum(
            2 * bias.size for bias in self.biases.values()
        )


@dataclass(frozen=True)
class Methods:
    """The methods of rounding. Ablations switch one off (`make bench-ablation`)."""

    second_order: bool = True
    """Compensate rounding errors with the weights not yet rounded (`rounding.py`)."""
    refit: bool = True
    """First refit weights to the outputs of the rounded layers before."""
    bias_correction: bool = True
    """Keep the mean of every output channel (`bias_correction.py`)."""
    clipping: bool = True
    """Where a byte's levels limit the step, clip outliers (`clipping.py`)."""
    finer_small_kernels: bool = True
    """Use finer steps for kernels with few inputs, which take few bytes."""
    dead_zone: float = 0.6
    """Weights closer to zero than this, in steps, become zero (`pruning.py`).

    0.6 was chosen: `make bench-ablation` cannot tell it from 0.5, and 0.9 costs more than it
    saves (docs/compression.md).
    """


@dataclass(frozen=True)
class _Fixed:
    """Moments of a layer's inputs, assumed not to depend on how earlier layers are rounded."""

    mean: Array
    decomposed: rounding.Decomposed


class Quantizer:
    """Quantises one network at any coarseness.

    Args:
        network: The float network; it is not changed.
        images: Calibration inputs, float32 `[n, height, width, 3]`.
        sensitivities: From :func:`toolchain.quantize.sensitivity.measure`.
        known: BatchNorm's statistics of layers' inputs, by layer; None where the images are
            photos. They take precedence over what generated pictures show.
        methods: The methods to use.
        seed: Seed for choosing samples.
        progress: Advances with each layer.
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
        means = [each.mean() for each in sensitivities.values()]
        self._least_sensitivity = _LEAST_LAYER * float(np.mean(means)) or 1.0
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
                    # A depthwise kernel is not refitted, so only the mean input is needed.
                    few = layer.kind == "depthwise"
                    self._inputs.append(rows.mean(0, keepdims=True) if few else rows)
                self._allowed.append(self._unit(layer, decomposed))
                tracker.advance(1)
        self.float_outputs = walk.finish()
        """The float network's output for the images, float32 `[n, classes]`."""

    def release(self) -> None:
        """Free the samples, hundreds of megabytes. :func:`run` cannot be called afterwards."""
        self._inputs.clear()

    def estimate(self, coarseness: float) -> int:
        """Estimate the bytes of what :func:`run` would return, without running it."""
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
        """Return the coarseness for which :func:`estimate` returns `wanted` bytes."""
        low, high = 1e-9, 1e3  # finer and coarser than any network needs
        for _ in range(40):
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if self.estimate(middle) > wanted else (low, middle)
        return high

    def run(self, coarseness: float, progress: Progress) -> Quantized:
        """Quantise all layers in order, each by its inputs from the rounded layers before."""
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
                # A kernel that several layers share is rounded once, for the first of them.
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
        """Return the step of each channel at which its weighted error is one unit."""
        sensitivity = self._sensitivities[layer.name]
        least = _LEAST * sensitivity.mean() + self._least_sensitivity
        small = len(decomposed.order) <= _FEW_INPUTS and self._methods.finer_small_kernels
        sensitivity = np.maximum(sensitivity, least)
        unit: Array = rounding.unit_steps(decomposed) / np.sqrt(sensitivity)
        return unit / _FINER if small else unit

    def _round_by(
        self, rows: Array, layer: Layer, weights: Array, reference: Array, steps: Array
    ) -> tuple[rounding.Rounded, Array]:
        """Round by samples of the layer's present inputs; return the mean of the inputs too."""
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
            # Without correlations no error is compensated.
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

    The grid keeps the table of steps small. An eighth of an octave is fine enough to make no
    difference (chosen, not measured). Steps are float16 numbers, which both forms store exactly.
    """
    exponents = np.rint(np.log2(np.maximum(wanted, 1e-30)) * _STEPS_AN_OCTAVE)
    needed = np.ceil(np.log2(np.maximum(finest, 1e-30)) * _STEPS_AN_OCTAVE)
    steps: Array = 2.0 ** (np.maximum(exponents, needed) / _STEPS_AN_OCTAVE)
    steps = np.minimum(steps, _LARGEST_STEP)
    halves = np.nextafter(steps.astype(np.float16), np.float16(np.inf))
    normal = steps > np.finfo(np.float16).smallest_normal
    return np.where(normal, halves, steps).astype(np.float32)


def _as_stored(bias: Array) -> Array:
    """Round a bias to float16, in which it is stored, if it fits."""
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
    """Return the order-0 entropy of integers, in bits per integer; 0 for an empty array."""
    if values.size == 0:
        return 0.0
    # There are few levels, so counting is about ten times as fast as sorting.
    counts = np.bincount(values.ravel().astype(np.int64) - int(values.min()))
    shares = counts[counts > 0] / values.size
    return float(-(shares * np.log2(shares)).sum())
