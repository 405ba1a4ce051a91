"""Opens pictures that nobody has vouched for, as they are seen, within bounds."""

from __future__ import annotations

import logging
import stat
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

MAX_PIXELS = 1 << 27
"""What is decoded: twelve bytes a pixel are in memory at once. Phones take 108 million."""
# What browsers and cameras know. Pillow reads more, PostScript among it, by running programs.
_FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "ICO", "TIFF", "PPM"),
    "JPEG2000",
)


def read(path: Path) -> Image:
    """Return a picture in RGB, turned as its EXIF data says; of several frames the first.

    Raises:
        BadInputError: It is no picture that can be read, or has too many pixels.
    """
    from PIL import Image, ImageOps

    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise ValueError("it is no ordinary file")
        with Image.open(path, formats=_formats()) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"it has {image.width}×{image.height} pixels")
            return over_white(ImageOps.exif_transpose(image))
    except Exception as error:
        # Pillow's readers raise most of Python's exceptions for what is damaged.
        reason = str(error) or type(error).__name__
        raise BadInputError(f"{path} cannot be read as a picture: {reason}") from error


def over_white(image: Image) -> Image:
    """Return a picture in RGB, with white where it is transparent."""
    from PIL import Image as Images

    if image.mode.startswith("I;16"):  # Pillow would cut off what is over 255
        image = Images.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Images.new("RGBA", layered.size, "white")
        return Images.alpha_composite(white, layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache
def _formats() -> tuple[str, ...]:
    """Return those formats that this Pillow has; it also keeps its own bound at ours."""
    from PIL import Image

    Image.init()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    # What it warns of is what the picture's author did, not what the user can mend.
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    return tuple(name for name in _FORMATS if name in Image.OPEN)
