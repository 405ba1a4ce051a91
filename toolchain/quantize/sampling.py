"""Samples a layer's inputs: the patches that its kernel is applied to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
    images: Array = batch.numpy()
    if layer.kind == "dense":
        return images
    count, height, width, channels = images.shape
    row_places, inside_rows = _positions(layer, 1, shape[0], height)
    column_places, inside_columns = _positions(layer, 2, shape[1], width)
    places = len(row_places) * len(column_places)
    chosen = np.arange(places)
    if places > each:
        chosen = np.sort(random.choice(places, each, replace=False))
    row, column = np.divmod(chosen, len(column_places))
    # Only the chosen patches are cut: to cut all of them took two fifths of `quantize`.
    patches = images[:, row_places[row][:, :, None], column_places[column][:, None, :]]
    inside = inside_rows[row][:, :, None] & inside_columns[column][:, None, :]
    if not inside.all():
        patches[:, ~inside] = 0
    return patches.reshape(count * len(chosen), shape[0] * shape[1] * channels)


def _positions(layer: Layer, axis: int, taps: int, size: int) -> tuple[Array, Array]:
    """Return which pixels of an axis a kernel reads, as TensorFlow pads.

    Returns:
        Their places `[outputs, taps]`, moved to the nearest pixel where they lie outside, and
        whether they lie inside.
    """
    stride, dilation = layer.strides[axis], layer.dilations[axis]
    reach = (taps - 1) * dilation + 1
    if layer.padding == "SAME":
        outputs = -(-size // stride)
        before = max((outputs - 1) * stride + reach - size, 0) // 2
    else:
        outputs = (size - reach) // stride + 1
        before = 0
    places = stride * np.arange(outputs)[:, None] + dilation * np.arange(taps) - before
    return np.clip(places, 0, size - 1), (places >= 0) & (places < size)
