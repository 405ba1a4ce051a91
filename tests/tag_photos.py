"""Folders of small pictures to learn tags from: each tag has a colour, with noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
FOREIGN = (250, 250, 20)


def picture(path: Path, colour: tuple[int, int, int], seed: int, *, side: int = 32) -> None:
    """Write a noisy picture of a colour as PNG."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 30, (side, side, 3)) + random.normal(0, 15, 3)
    pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def folder(
    where: Path,
    *,
    count: int = 8,
    colours: Mapping[str, tuple[int, int, int]] = COLOURS,
    none: int = 0,
    first: int = 0,
) -> Path:
    """Write `count` pictures of each colour into its folder, and return the whole folder.

    Args:
        where: The folder to write.
        count: Pictures of each tag.
        colours: The tags.
        none: Pictures of another colour, in the folder `none`.
        first: Number of the first picture; other numbers give other pictures.
    """
    for place, (tag, colour) in enumerate(colours.items()):
        for number in range(first, first + count):
            picture(where / tag / f"{number:03}.png", colour, 1000 * place + number)
    for number in range(first, first + none):
        picture(where / "none" / f"{number:03}.png", FOREIGN, 9000 + number)
    return where
