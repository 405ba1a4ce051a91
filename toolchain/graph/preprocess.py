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
    rows = _filter(pixels.shape[0], height)
    columns = _filter(pixels.shape[1], width)
    narrowed = np.einsum("xw,hwc->hxc", columns, pixels, optimize=True)
    resized: Array = np.einsum("yh,hxc->yxc", rows, narrowed, optimize=True).astype(np.float32)
    return resized


def _filter(size: int, target: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the weights `[target, size]` by which a line of pixels is resampled."""
    scale = size / target
    support = max(scale, 1.0)
    centres = (np.arange(target) + 0.5)[:, None] * scale
    distances = np.abs(np.arange(size)[None, :] + 0.5 - centres) / support
    weights = np.maximum(0.0, 1.0 - distances)
    normalised: np.ndarray[Any, np.dtype[np.float64]] = weights / weights.sum(axis=1, keepdims=True)
    return normalised
