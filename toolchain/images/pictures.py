"""Opens untrusted pictures as browsers show them, up to a size limit.

This module reads orientation and colour space from the file itself and not with Pillow. Pillow
looks for the orientation in more places than browsers do, and ignores the colour space.
"""

from __future__ import annotations

import logging
import stat
import warnings
from functools import lru_cache
from typing import IO, TYPE_CHECKING

import numpy as np

from toolchain.errors import BadInputError
from toolchain.images import heic, orientation
from toolchain.images.colour import avif, icc, png, srgb

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from toolchain.images.colour.cicp import CodePoints
    from toolchain.images.colour.profile import Profile
    from toolchain.images.colour.srgb import Bytes

MAX_PIXELS = 1 << 27
"""The most pixels that are decoded, at twelve bytes of memory each. Phones take 108 million."""
# Formats of browsers and cameras. Pillow reads others too, PostScript by running a program.
_FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "ICO", "TIFF", "PPM"),
    "JPEG2000",
)
_BITS_OF_A_BYTE = 8

_EXIF = b"Exif\0\0"
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")


def read(path: Path) -> Image:
    """Return the first frame of a picture in sRGB and upright, as browsers show it.

    Raises:
        BadInputError: It cannot be read as a picture, has too many pixels, or has a high dynamic
            range, which each browser shows differently.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe might wait for ever
            raise ValueError("it is not a regular file")
        with path.open("rb") as file:
            return _read(file)
    except Exception as error:
        # Pillow's readers raise most of Python's exceptions for damaged files.
        reason = str(error) or type(error).__name__
        raise BadInputError(f"{path} cannot be read as a picture: {reason}") from error


def _read(file: IO[bytes]) -> Image:
    from PIL import Image, ImageOps

    ahead, points = png.read(file), avif.code_points(file)
    file.seek(0)
    with Image.open(file, formats=formats_of(file)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"it has {image.width}×{image.height} pixels")
        # An APNG's default image is only for programs that do not know animations.
        if getattr(image, "default_image", False):
            image.seek(1)
        image.load()
        if image.format == "TIFF":  # only Safari shows TIFF
            return _in_srgb(ImageOps.exif_transpose(image), _profile(image, ahead, points))
        shown = _with_its_holes(image, ahead.depth) if image.format == "PNG" else image
        turned = _turned(shown, _orientation(image, ahead))
        return _in_srgb(turned, _profile(image, ahead, points))


def _with_its_holes(image: Image, depth: int) -> Image:
    """Return a PNG whose transparent colour has the same bit depth as its decoded pixels.

    Pillow keeps that colour in the bit depth of the file, so it would match no pixel or wrong ones.
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
    """Return how to turn a picture; browsers ignore the orientation in WebP and other formats."""
    if image.format == "PNG":
        return orientation.of_exif(ahead.exif)
    # pillow-heif has turned a HEIC photo already.
    if image.format in ("JPEG", "MPO", "AVIF"):
        # For AVIF, Pillow puts the orientation of the file's own boxes there, which is what counts.
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
    """Return the colour space of a picture's numbers; None for sRGB."""
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
        image: A picture in any mode.
        profile: The colour space of its numbers; None for sRGB.
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
    """Return cyan, magenta, yellow and black as RGB, uint8 `[height, width, 3]`.

    Chromium darkens the three colours by the black; if there is a profile, it then converts these
    three with it, without black. Other browsers only darken.
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
    """Return the upper bytes of 16-bit grey, as browsers and Pillow do with 16-bit colours."""
    from PIL import Image as Images

    if not image.mode.startswith("I;16"):
        return image
    # Pillow itself would clip values above 255.
    return Images.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def formats_of(file: IO[bytes]) -> tuple[str, ...]:
    """Return Pillow's names of the formats that a file may have.

    Raises:
        ValueError: It is a HEIC photo, and pillow-heif is not installed.
    """
    if heic.is_heic(file):
        heic.prepare()
        return (heic.FORMAT,)
    return _formats()


@lru_cache
def _formats() -> tuple[str, ...]:
    """Return the allowed formats that this Pillow supports; also set Pillow's own pixel limit."""
    from PIL import Image

    Image.init()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    # Pillow's warnings are about faults in the picture, which the user cannot fix.
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    return tuple(name for name in _FORMATS if name in Image.OPEN)
