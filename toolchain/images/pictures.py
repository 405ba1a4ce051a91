"""Opens pictures that nobody has vouched for, as browsers show them, within bounds.

Which way up and in which colours a picture is shown is read from its file here and not by
Pillow, which looks in more places than browsers do for the one and leaves out the other.
"""

from __future__ import annotations

import logging
import stat
import warnings
from functools import lru_cache
from typing import IO, TYPE_CHECKING

import numpy as np

from toolchain.errors import BadInputError
from toolchain.images import orientation
from toolchain.images.colour import avif, icc, png, srgb

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from toolchain.images.colour.cicp import CodePoints
    from toolchain.images.colour.profile import Profile
    from toolchain.images.colour.srgb import Bytes

MAX_PIXELS = 1 << 27
"""What is decoded: twelve bytes a pixel are in memory at once. Phones take 108 million."""
# What browsers and cameras know. Pillow reads more, PostScript among it, by running programs.
_FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "ICO", "TIFF", "PPM"),
    "JPEG2000",
)
_BITS_OF_A_BYTE = 8

_EXIF = b"Exif\0\0"
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")


def read(path: Path) -> Image:
    """Return a picture in sRGB, upright, as browsers show it; of several frames the first.

    Raises:
        BadInputError: It is no picture that can be read, has too many pixels, or has a high
            dynamic range, which browsers show each in another way.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise ValueError("it is no ordinary file")
        with path.open("rb") as file:
            return _read(file)
    except Exception as error:
        # Pillow's readers raise most of Python's exceptions for what is damaged.
        reason = str(error) or type(error).__name__
        raise BadInputError(f"{path} cannot be read as a picture: {reason}") from error


def _read(file: IO[bytes]) -> Image:
    from PIL import Image, ImageOps

    ahead, points = png.read(file), avif.code_points(file)
    file.seek(0)
    with Image.open(file, formats=_formats()) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"it has {image.width}×{image.height} pixels")
        if getattr(image, "default_image", False):  # of an APNG: for who knows no animations
            image.seek(1)
        image.load()
        if image.format == "TIFF":  # which no browser shows but Safari
            return _in_srgb(ImageOps.exif_transpose(image), _profile(image, ahead, points))
        shown = _with_its_holes(image, ahead.depth) if image.format == "PNG" else image
        turned = _turned(shown, _orientation(image, ahead))
        return _in_srgb(turned, _profile(image, ahead, points))


def _with_its_holes(image: Image, depth: int) -> Image:
    """Return a PNG whose transparent colour is told in the bits that its pixels have here.

    Pillow leaves it in those of the file, and so finds it nowhere or in another colour.
    """
    from PIL import Image as Images

    hole = image.info.get("transparency")
    if image.mode.startswith("I;16") and isinstance(hole, int):
        opaque = np.where(np.asarray(image) == hole, 0, 255).astype(np.uint8)
        return Images.merge("LA", (_of_bytes(image), Images.fromarray(opaque)))
    if image.mode == "L" and depth < _BITS_OF_A_BYTE and isinstance(hole, int):
        image.info["transparency"] = hole * 255 // ((1 << depth) - 1)
    if image.mode == "RGB" and depth > _BITS_OF_A_BYTE and isinstance(hole, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in hole)
    return image


def _orientation(image: Image, ahead: png.Ahead) -> int:
    """Return how a picture is to be turned: in WebP and all others no browser looks for it."""
    if image.format == "PNG":
        return orientation.of_exif(ahead.exif)
    if image.format in ("JPEG", "MPO", "AVIF"):
        # Pillow puts there what an AVIF says in its own boxes, which is what counts.
        return orientation.of_exif(image.info.get("exif", b"").removeprefix(_EXIF))
    return orientation.UPRIGHT


def _turned(image: Image, how: int) -> Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[how]) if how in turns else image.copy()


def _profile(image: Image, ahead: png.Ahead, points: CodePoints | None) -> Profile | None:
    """Return what the numbers of a picture mean, or None for sRGB."""
    if image.mode == "CMYK":
        spaces: tuple[bytes, ...] = (b"CMYK",)
    else:
        spaces = (b"GRAY", b"RGB ") if image.mode in _GREY else (b"RGB ",)
    if image.format == "PNG":
        return ahead.profile(spaces)
    embedded = image.info.get("icc_profile")
    if embedded:
        return icc.first_usable(embedded, spaces)
    return points.profile(is_film_srgb=True) if points and image.format == "AVIF" else None


def _in_srgb(image: Image, profile: Profile | None) -> Image:
    """Return a picture in sRGB, with white where it is transparent.

    Args:
        image: In any mode.
        profile: What its numbers mean, or None for sRGB.
    """
    from PIL import Image as Images

    image = _of_bytes(image)
    if image.mode == "CMYK":
        return Images.fromarray(_without_inks(np.asarray(image), profile))
    if profile is None:
        return over_white(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    grey = srgb.channels(profile) == 1
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    shown = Images.fromarray(srgb.convert(pixels[..., None] if grey else pixels, profile))
    if alpha is not None:
        shown.putalpha(alpha)
    return over_white(shown)


def _without_inks(inks: Bytes, profile: Profile | None) -> Bytes:
    """Return the colours of cyan, magenta, yellow and black, uint8 `[height, width, 3]`.

    Chromium darkens the three colours by the black and, where there is a profile, asks it what
    these three are without black. Other browsers do the first alone.
    """
    light = 255 - inks[..., :3].astype(np.uint16)
    light *= 255 - inks[..., 3:]
    darkened = (light // 255).astype(np.uint8)
    if profile is None:
        return darkened
    black = np.zeros_like(inks[..., 3:])
    return srgb.convert(np.concatenate([255 - darkened, black], -1), profile)


def over_white(image: Image) -> Image:
    """Return a picture in RGB, with white where it is transparent."""
    from PIL import Image as Images

    image = _of_bytes(image)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Images.new("RGBA", layered.size, "white")
        return Images.alpha_composite(white, layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _of_bytes(image: Image) -> Image:
    """Return grey of 16 bits by its upper bytes, as browsers and Pillow take colours of 16 bits."""
    from PIL import Image as Images

    if not image.mode.startswith("I;16"):
        return image
    # Pillow itself would cut off what is over 255.
    return Images.fromarray((np.asarray(image) >> 8).astype(np.uint8))


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
