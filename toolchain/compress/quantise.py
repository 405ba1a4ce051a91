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

from toolchain import tf as tensorflow
from toolchain.compress import rounding
from toolchain.compress.network import Layer, Network, channels_of
from toolchain.compress.plan import TensorPlan, entropy
from toolchain.compress.walk import Walk

if TYPE_CHECKING:
    from toolchain.progress import Progress

    Array = np.ndarray[Any, Any]

_ROWS = 8192  # samples of a layer's input that its covariance is taken from
_ROWS_DEPTHWISE = 2048  # enough for one channel's few taps, of which there are many
_FEW = 4.0
"""Kernels with few weights a channel get steps finer by this: they cost next to nothing."""
_FEW_INPUTS = 32
_LEAST = 0.01  # of a layer's mean sensitivity: below, it is noise
_STEPS_AN_OCTAVE = 8
_LARGEST_STEP = 2.0**15  # float16 has room for it


@dataclass(frozen=True)
class Quantised:
    """A network after quantisation."""

    kernels: dict[str, rounding.Rounded]
    """By the kernel's name; `[inputs, channels]`, inputs in the kernel's C order."""
    biases: dict[str, Array]
    """By the bias' name, float32 `[channels]`."""
    tensors: tuple[TensorPlan, ...]

    def applied_to(self, network: Network) -> Network:
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


class Quantiser:
    """Holds what does not change from one coarseness to another.

    Args:
        network: The float network; it is left as it is.
        images: Calibration inputs, float32 `[n, height, width, 3]`.
        sensitivities: From :func:`toolchain.compress.sensitivity.measure`.
        seed: Of the choice of samples.
        progress: Hears of each layer.
    """

    def __init__(
        self,
        network: Network,
        images: Array,
        sensitivities: dict[str, Array],
        *,
        seed: int,
        progress: Progress,
    ) -> None:
        self._float = network
        self._images = images
        self._sensitivities = sensitivities
        self._seed = seed
        walk = Walk(network, images)
        self._reference: list[Array] = []
        self._allowed: list[Array] = []
        with progress.track("Measuring layers", len(network.layers)) as tracker:
            for layer in network.layers:
                rows = self._rows(walk, layer)
                # A depthwise kernel is not refitted, so its mean input is all that is kept.
                few = layer.kind == "depthwise"
                self._reference.append(rows.mean(0, keepdims=True) if few else rows)
                self._allowed.append(self._unit(layer, rows))
                tracker.advance(1)

    def estimate(self, coarseness: float) -> int:
        """Return about the bytes that :func:`run` would come to, without running it."""
        total = 0.0
        for layer, allowed in zip(self._float.layers, self._allowed, strict=True):
            weights = _as_matrix(self._float.weights[layer.kernel], layer)
            steps = _steps(coarseness * allowed, weights)
            total += entropy(np.rint(weights / steps)) * weights.size / 8 + 3 * steps.size
        return round(total)

    def coarseness_for(self, wanted: int) -> float:
        """Return the coarseness at which :func:`estimate` comes to `wanted` bytes."""
        low, high = 1e-9, 1e3  # finer and coarser than any network takes
        for _ in range(40):
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if self.estimate(middle) > wanted else (low, middle)
        return high

    def run(self, coarseness: float, progress: Progress) -> Quantised:
        """Quantise all layers, each by the inputs that the ones before it now give."""
        network = self._float.with_weights({})
        walk = Walk(network, self._images)
        kernels: dict[str, rounding.Rounded] = {}
        biases: dict[str, Array] = {}
        tensors: list[TensorPlan] = []
        with progress.track("Rounding layers", len(network.layers)) as tracker:
            for layer, reference, allowed in zip(
                network.layers, self._reference, self._allowed, strict=True
            ):
                kernel = self._float.weights[layer.kernel]
                weights = _as_matrix(kernel, layer).astype(np.float64)
                rows = self._rows(walk, layer)
                rounded, shift = self._round(layer, weights, rows, reference, coarseness * allowed)
                kernels[layer.kernel] = rounded
                biases[layer.bias] = _as_stored(self._float.weights[layer.bias] + shift)
                network.weights[layer.kernel] = rounded.decode().reshape(kernel.shape)
                network.weights[layer.bias] = biases[layer.bias]
                tensors.append(_describe(layer, kernel, weights, rounded))
                tracker.advance(1)
        return Quantised(kernels, biases, tuple(tensors))

    def _unit(self, layer: Layer, rows: Array) -> Array:
        """Return the step of each channel at which its error is felt as one unit."""
        felt = self._sensitivities[layer.name]
        felt = np.maximum(felt, _LEAST * felt.mean() + 1e-30)
        _, spread = _moments(layer, rows)
        few = _FEW if rows.shape[1] <= _FEW_INPUTS else 1.0
        unit: Array = rounding.unit_steps(spread) / (few * np.sqrt(felt))
        return unit

    @staticmethod
    def _round(
        layer: Layer, weights: Array, rows: Array, reference: Array, wanted: Array
    ) -> tuple[rounding.Rounded, Array]:
        """Return the rounded weights and what must be added to the bias."""
        mean, spread = _moments(layer, rows)
        expected = reference.mean(axis=0, dtype=np.float64)
        if layer.kind == "depthwise":
            rounded = rounding.round_depthwise(weights, spread, _steps(wanted, weights))
            return rounded, (expected * weights - mean * rounded.decode()).sum(axis=0)
        target = rounding.refit(weights, spread, rows, reference)
        rounded = rounding.round_weights(target, spread, _steps(wanted, target))
        return rounded, expected @ weights - mean @ rounded.decode()

    def _rows(self, walk: Walk, layer: Layer) -> Array:
        """Sample what a layer reads: float32 `[n, inputs]`, depthwise `[n, taps, channels]`."""
        batches = walk.inputs_of(layer)
        wanted = _ROWS_DEPTHWISE if layer.kind == "depthwise" else _ROWS
        each = max(1, wanted // len(self._images))
        random = np.random.default_rng([self._seed, *layer.name.encode()])
        shape = self._float.weights[layer.kernel].shape
        rows = np.concatenate([_patches(batch, layer, shape, each, random) for batch in batches])
        if layer.kind == "depthwise":
            return rows.reshape(len(rows), shape[0] * shape[1], shape[2])
        return rows


def _patches(
    batch: Any, layer: Layer, shape: tuple[int, ...], each: int, random: np.random.Generator
) -> Array:
    """Return `each` random patches of every image that a kernel is laid over."""
    tf = tensorflow.load()
    if layer.kind == "dense":
        matrix: Array = batch.numpy()
        return matrix
    if shape[:2] == (1, 1):
        patches = batch[:, :: layer.strides[1], :: layer.strides[2]]
    else:
        patches = tf.image.extract_patches(
            batch,
            [1, shape[0], shape[1], 1],
            list(layer.strides),
            list(layer.dilations),
            layer.padding,
        )
    count, height, width, size = patches.shape
    flat = tf.reshape(patches, (count, height * width, size))
    if height * width > each:
        chosen = np.sort(random.choice(height * width, each, replace=False))
        flat = tf.gather(flat, chosen, axis=1)
    sampled: Array = tf.reshape(flat, (-1, size)).numpy()
    return sampled


def _moments(layer: Layer, rows: Array) -> tuple[Array, Array]:
    """Return the mean and covariance of a layer's inputs, depthwise by channel."""
    if layer.kind != "depthwise":
        return rounding.covariance(rows)
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean.astype(np.float32)
    spreads = np.einsum("ntc,nuc->ctu", centred, centred, optimize=True).astype(np.float64)
    return mean, spreads / len(rows)


def _as_matrix(kernel: Array, layer: Layer) -> Array:
    """Return a kernel as `[inputs, channels]`."""
    return kernel.reshape(-1, channels_of(kernel.shape, layer.kind))


def _steps(wanted: Array, weights: Array) -> Array:
    """Return the steps to use: on a logarithmic grid, and wide enough for the largest weight.

    The grid keeps the table of steps small; an eighth of an octave is finer than any
    difference it makes. Steps are float16 numbers, so that either form stores them alike.
    """
    least = np.abs(weights).max(axis=0) / rounding.LARGEST
    exponents = np.rint(np.log2(np.maximum(wanted, 1e-30)) * _STEPS_AN_OCTAVE)
    needed = np.ceil(np.log2(np.maximum(least, 1e-30)) * _STEPS_AN_OCTAVE)
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
        largest=float(np.abs(weights).max(initial=0)),
        step=float(np.exp(np.log(rounded.steps).mean())),
        error=float(np.sqrt(np.mean((weights - rounded.decode()) ** 2))) / scale,
    )
