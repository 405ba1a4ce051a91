"""Films that Chromium uses as the picture of a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    Plane = np.ndarray[Any, np.dtype[np.float64]]

CAMERA = (640, 480)
"""The size that the page requests from a camera, so that no browser scales the picture."""


def film_of(photo: Path, target: Path) -> Path:
    """Write a photo as a still film: YUV4MPEG2, 30 frames a second.

    BT.601 with limited range and one chroma sample for four pixels, as from cameras.
    """
    with Image.open(photo) as image:
        planes = image.convert("RGB").resize(CAMERA).convert("YCbCr").split()
    luma, *chroma = (np.asarray(plane, np.float64) for plane in planes)
    picture = b"FRAME\n" + _bytes(16 + luma * 219 / 255)
    picture += b"".join(_bytes(128 + (_halved(plane) - 128) * 224 / 255) for plane in chroma)
    width, height = CAMERA
    head = f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode()
    target.write_bytes(head + 2 * picture)
    return target


def picture_of(film: Path, target: Path) -> Path:
    """Write a film's first frame as a PNG, converted by BT.601."""
    width, height = CAMERA
    _, _, picture = film.read_bytes().split(b"\n", 2)
    size = width * height
    planes = np.frombuffer(picture, np.uint8, size * 3 // 2).astype(np.float64)
    luma = (planes[:size].reshape(height, width) - 16) * 255 / 219
    halves = planes[size:].reshape(2, height // 2, width // 2)
    full = [np.kron(half, np.ones((2, 2))) for half in (halves - 128) * 255 / 224 + 128]
    pixels = np.stack([luma, *full], axis=-1).round().clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels, "YCbCr").convert("RGB").save(target)
    return target


def _halved(plane: Plane) -> Plane:
    height, width = plane.shape
    halved: Plane = plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return halved


def _bytes(plane: Plane) -> bytes:
    return plane.round().astype(np.uint8).tobytes()
