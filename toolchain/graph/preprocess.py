"""Turns a photo into the network's input, in the same way as the page.

The steps: decode, with the EXIF orientation applied and transparency over white; crop the centre;
resize with a triangle filter; map bytes onto the range. `web/src/worker/preprocess.ts` and
`web/src/photo/` do the same in the browser, and a test compares both on the same pixels.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.images import pictures

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from toolchain.records.card import InputSpec

    Array = np.ndarray[Any, np.dtype[np.float32]]


def load(path: Path, spec: InputSpec) -> Array:
    """Read a photo from disk as one network input, float32 `[height, width, 3]`.

    Raises:
        BadInputError: The file is not a picture that Pillow can read.
    """
    return prepare(pictures.read(path), spec)


def prepare(image: Image, spec: InputSpec) -> Array:
    """Crop, resize and scale a decoded photo to float32 `[height, width, 3]`."""
    left, top, width, height = crop_box(*image.size, spec)
    pixels = np.asarray(
        pictures.over_white(image).crop((left, top, left + width, top + height)), np.float32
    )
    return values(resize(pixels, spec.height, spec.width), spec)


def values(pixels: Array, spec: InputSpec) -> Array:
    """Return the input values for pixels.

    Args:
        pixels: float32 `[…, 3]`, red, green and blue in 0…255.
        spec: The network's input.

    Returns:
        float32 `[…, 3]`, the channels in the network's order.
    """
    low, high = spec.value_range
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    scaled = (low + pixels * ((high - low) / 255) - mean) / std
    ordered = scaled if spec.channels == "rgb" else scaled[..., ::-1]
    return np.ascontiguousarray(ordered, np.float32)


def crop_box(width: int, height: int, spec: InputSpec) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the centre crop, in whole pixels.

    It has the aspect ratio of the network's input and covers `crop_fraction` of the
    largest such box in the photo.
    """
    # Multiply before dividing, as the page does: a rounding error could change how a half rounds.
    narrow = width * spec.height <= height * spec.width
    box_width = width if narrow else height * spec.width / spec.height
    box_height = width * spec.height / spec.width if narrow else height
    crop_width = max(1, floor(box_width * spec.crop_fraction + 0.5))
    crop_height = max(1, floor(box_height * spec.crop_fraction + 0.5))
    return (width - crop_width) // 2, (height - crop_height) // 2, crop_width, crop_height


def resize(pixels: Array, height: int, width: int) -> Array:
    """Resize float32 `[h, w, c]` with a separable triangle filter, antialiased.

    The filter's width grows with the reduction, and samples are at pixel centres, as in
    `tf.image.resize(method="bilinear", antialias=True)`. Nothing is rounded to bytes.
    """
    narrowed = _resampled(pixels, 1, width)
    return _resampled(narrowed, 0, height).astype(np.float32)


def _resampled(pixels: np.ndarray[Any, Any], axis: int, target: int) -> np.ndarray[Any, Any]:
    """Resample one axis of `[h, w, c]` to float64, as a sum over the taps of its filter.

    Only a few inputs count for each output, so this takes an eighth of the time of a matrix
    product with all of them (256 pixels to 224).
    """
    places, weights = _taps(pixels.shape[axis], target)
    shape = [1, 1, 1]
    shape[axis] = target
    result = np.zeros((*pixels.shape[:axis], target, *pixels.shape[axis + 1 :]), np.float64)
    for place, weight in zip(places, weights, strict=True):
        result += pixels.take(place, axis) * weight.reshape(shape)
    return result


def _taps(size: int, target: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return which inputs count how much when a line of pixels is resampled.

    Returns:
        Their places and weights (float64), both `[taps, target]`. An output with fewer taps has
        some of weight 0.
    """
    scale = size / target
    support = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    # Those whose centres, half a pixel on, are nearer than the support.
    first = np.floor(centres - support + 0.5)
    places = first + np.arange(int(2 * support) + 2)[:, None]
    distances = np.abs(places + 0.5 - centres) / support
    inside = (places >= 0) & (places < size)
    weights = np.where(inside, np.maximum(0.0, 1.0 - distances), 0.0)
    used = weights.any(axis=1)
    weights = weights[used] / weights.sum(axis=0)
    return np.clip(places[used], 0, size - 1).astype(np.intp), weights
