"""Random views of a photo, as if it had been taken a little differently.

Crops as in C. Szegedy et al. 2015 (arXiv:1409.4842), with mirroring and changes of brightness,
contrast and saturation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]

# The least share of the photo's area, and the most that colours change, of a weak and of a strong
# view. Chosen; `make bench-train` shows what fine-tuning with them brings.
_WEAK, _STRONG = (0.7, 0.15), (0.35, 0.3)
_RATIO = 4 / 3
_LEAST_SIDE = 8  # pixels


@dataclass(frozen=True)
class View:
    """Where to look at a photo, and how its colours change; all numbers are shares."""

    area: float
    ratio: float
    """Width by height of the crop, as a multiple of the network's input's."""
    across: float
    down: float
    is_mirrored: bool
    brightness: float
    contrast: float
    saturation: float


def draw(random: np.random.Generator, *, is_strong: bool) -> View:
    """Draw a view.

    Args:
        random: Where to take random numbers from.
        is_strong: Whether the view may differ much from the photo.
    """
    least, change = _STRONG if is_strong else _WEAK
    ratio = np.exp(random.uniform(-np.log(_RATIO), np.log(_RATIO)))
    colours = random.uniform(1 - change, 1 + change, 3)
    return View(
        random.uniform(least, 1.0),
        float(ratio),
        random.random(),
        random.random(),
        bool(random.random() < 0.5),  # noqa: PLR2004
        *map(float, colours),
    )


def crop(pixels: Array, view: View, aspect: float) -> Array:
    """Return the part of a photo that a view shows, before it is resized.

    Args:
        pixels: float32 `[height, width, 3]` in 0…255.
        view: The view.
        aspect: Width by height of the network's input.

    Returns:
        A part of `pixels`, mirrored if the view is.
    """
    height, width = pixels.shape[:2]
    area, ratio = view.area * height * width, view.ratio * aspect
    down, across = round((area / ratio) ** 0.5), round((area * ratio) ** 0.5)
    down = min(height, max(_LEAST_SIDE, down))
    across = min(width, max(_LEAST_SIDE, across))
    top, left = int(view.down * (height - down)), int(view.across * (width - across))
    part = pixels[top : top + down, left : left + across]
    return part[:, ::-1] if view.is_mirrored else part


def recolour(pixels: Array, view: View) -> Array:
    """Return pixels with the brightness, contrast and saturation of a view.

    Args:
        pixels: float32 `[height, width, 3]` in 0…255.
        view: The view.

    Returns:
        float32 of the same shape, in 0…255.
    """
    found = pixels * view.brightness
    mean = found.mean()
    found = (found - mean) * view.contrast + mean
    grey = found.mean(axis=-1, keepdims=True)
    found = (found - grey) * view.saturation + grey
    changed: Array = np.clip(found, 0, 255).astype(np.float32)
    return changed
