"""Samples what a layer reads: the patches that its kernel is laid over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from toolchain.quantize.layer_graph import Layer

    Array = np.ndarray[Any, Any]

_ROWS = 8192  # samples of a layer's input that its covariance is taken from
_ROWS_DEPTHWISE = 2048  # enough for one channel's few taps, of which there are many


def rows(layer: Layer, shape: tuple[int, ...], batches: list[Any], *, seed: int) -> Array:
    """Sample a layer's input: float32 `[n, inputs]`, depthwise `[n, taps, channels]`.

    The channels are the output's: an input channel from which a depthwise layer makes several
    stands there as often.

    Args:
        layer: The layer.
        shape: Of its kernel.
        batches: What it reads, a tensor a batch of images.
        seed: Of the choice; the same seed chooses the same patches of every network.
    """
    wanted = _ROWS_DEPTHWISE if layer.kind == "depthwise" else _ROWS
    each = max(1, wanted // sum(int(batch.shape[0]) for batch in batches))
    random = np.random.default_rng([seed, *layer.name.encode()])
    chosen = np.concatenate([_patches(batch, layer, shape, each, random) for batch in batches])
    if layer.kind == "depthwise":
        taps = chosen.reshape(len(chosen), shape[0] * shape[1], shape[2])
        return np.repeat(taps, shape[3], axis=-1)
    return chosen


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
