"""Samples a layer's inputs: the patches that its kernel is applied to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from toolchain.quantize.layer_graph import Layer

    Array = np.ndarray[Any, Any]

# Samples for the covariance of a layer's inputs. Chosen, not measured.
_ROWS = 8192
_ROWS_DEPTHWISE = 2048  # enough for the few taps of a channel


def rows(layer: Layer, shape: tuple[int, ...], batches: list[Any], *, seed: int) -> Array:
    """Sample a layer's inputs: float32 `[n, inputs]`; depthwise: `[n, taps, channels]`.

    The channels are those of the output: where a depthwise layer computes several output channels
    from one input channel, that channel is repeated.

    Args:
        layer: The layer.
        shape: Shape of its kernel.
        batches: Its input, one tensor for each batch of images.
        seed: Seed of the choice; the same seed chooses the same patches in every network.
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
    """Return `each` random patches of every image."""
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
