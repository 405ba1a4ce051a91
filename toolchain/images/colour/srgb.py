"""Converts a picture's bytes to sRGB with a profile.

White is mapped to white, and colours outside sRGB are clipped: relative colorimetric, without
black point compensation. Chromium does the same for every profile and ignores its intent.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.images.colour.profile import MatrixProfile, Profile, TableProfile

if TYPE_CHECKING:
    from collections.abc import Sequence

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Array = np.ndarray[Any, np.dtype[np.float32]]

_AT_ONCE = 1 << 18
"""Pixels that are converted at a time, so that a large picture needs only a few more megabytes."""
_TO_XYZ = np.array(
    [
        [0.436065674, 0.385147095, 0.143066406],
        [0.222488403, 0.716873169, 0.060607910],
        [0.013916016, 0.097076416, 0.714096069],
    ]
)
"""From linear sRGB to XYZ under D50, as in the ICC profile of sRGB."""
_FROM_XYZ = np.linalg.inv(_TO_XYZ).astype(np.float32)
_WHITE = np.array([0.9642, 1.0, 0.8249], np.float32)


_STEPS = np.float32((1 << 16) - 1)


def _byte_of_light() -> Bytes:
    """Return sRGB's byte for 65,536 steps of light; each byte covers at least two steps."""
    light = np.arange(1 << 16) / float(_STEPS)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    nearest: Bytes = np.floor(encoded * 255 + 0.5).astype(np.uint8)
    return nearest


_BYTE_OF_LIGHT = _byte_of_light()


def channels(profile: Profile) -> int:
    """Return how many channels the pictures of this profile have."""
    return len(profile.curves)


def convert(pixels: Bytes, profile: Profile) -> Bytes:
    """Return a picture in sRGB, uint8 `[height, width, 3]`.

    Args:
        pixels: uint8 `[height, width, channels]`, with the channels of the profile.
        profile: The picture's colour space.
    """
    height, width, count = pixels.shape
    flat = pixels.reshape(-1, count)
    converted = np.empty((len(flat), 3), np.uint8)
    for start in range(0, len(flat), _AT_ONCE):
        part = flat[start : start + _AT_ONCE]
        if isinstance(profile, MatrixProfile):
            light = _by_matrix(part, profile)
        else:
            light = _by_table(part, profile)
        for channel, values in enumerate(light):
            steps = np.clip(values, 0, 1) * _STEPS + np.float32(0.5)
            converted[start : start + _AT_ONCE, channel] = _BYTE_OF_LIGHT[steps.astype(np.uint16)]
    return converted.reshape(height, width, 3)


def _by_matrix(pixels: Bytes, profile: MatrixProfile) -> Sequence[Array]:
    """Return linear sRGB, float32 `[count]` for each of red, green and blue."""
    linear = [curve[pixels[:, channel]] for channel, curve in enumerate(profile.curves)]
    if len(linear) == 1:
        return linear * 3
    return _mixed(linear, _FROM_XYZ @ profile.to_xyz)


def _mixed(channels: Sequence[Array], matrix: Array) -> Sequence[Array]:
    return [sum(factor * one for factor, one in zip(row, channels, strict=True)) for row in matrix]


def _by_table(pixels: Bytes, profile: TableProfile) -> Sequence[Array]:
    """Return linear sRGB, float32 `[count]` for each of red, green and blue."""
    found: np.ndarray[Any, Any] = _between_points(pixels, profile)
    if profile.matrix is not None:
        found = _curved(found, profile.middle) @ profile.matrix[:, :3].T + profile.matrix[:, 3]
    found = _curved(found, profile.last)
    xyz = _from_lab(found) if profile.is_lab else found
    return _mixed(list(xyz.astype(np.float32).T), _FROM_XYZ)


def _between_points(pixels: Bytes, profile: TableProfile) -> Array:
    """Interpolate linearly along every axis of the table."""
    table = profile.table
    axes = table.shape[:-1]
    flat = table.reshape(-1, 3)
    index = np.zeros(len(pixels), np.int64)
    strides, fractions = [], []
    for axis, points in enumerate(axes):
        place = profile.curves[axis][pixels[:, axis]] * (points - 1)
        low = np.minimum(place.astype(np.int64), points - 2)
        stride = int(np.prod(axes[axis + 1 :], dtype=np.int64))
        index += low * stride
        strides.append(stride)
        fractions.append((place - low).astype(np.float32))
    found = np.zeros((len(pixels), 3), np.float32)
    for corner in itertools.product((0, 1), repeat=len(axes)):
        weight = np.ones(len(pixels), np.float32)
        for upper, fraction in zip(corner, fractions, strict=True):
            weight *= fraction if upper else 1 - fraction
        offset = sum(upper * stride for upper, stride in zip(corner, strides, strict=True))
        found += weight[:, None] * flat[index + offset]
    return found


def _curved(values: np.ndarray[Any, Any], curves: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    return np.stack([curve(values[:, i]) for i, curve in enumerate(curves)], 1)


def _from_lab(lab: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Convert L*a*b* in 0…1 to XYZ under D50."""
    middle = (lab[:, 0] * 100 + 16) / 116
    roots = np.stack(
        [
            middle + (lab[:, 1] * 255 - 128) / 500,
            middle,
            middle - (lab[:, 2] * 255 - 128) / 200,
        ],
        1,
    )
    linear = (roots - 16 / 116) * (108 / 841)
    return np.where(roots > 24 / 116, roots**3, linear) * _WHITE
