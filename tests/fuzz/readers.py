"""All fuzzed readers, with valid content of each and how it is damaged."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from tests.fuzz import (
    archive_readers,
    damage,
    label_readers,
    model_readers,
    taught_readers,
    text_readers,
)
from tests.fuzz.reader import Reader, Strategy, in_file
from toolchain.graph import preprocess
from toolchain.records.card import InputSpec

SPEC = InputSpec(height=32, width=32, value_range=(0, 1))


def _pictures() -> Strategy:
    from PIL import Image

    from tests import colour_profiles

    pixels = np.random.default_rng(1).integers(0, 255, (9, 11, 4), np.uint8)
    made = []
    for form, mode in (
        *(("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P")),
        *(("PNG", "I;16"), ("GIF", "P"), ("WEBP", "RGBA"), ("BMP", "RGB"), ("TIFF", "RGB")),
        *(("PPM", "RGB"), ("ICO", "RGBA"), ("AVIF", "RGB")),
    ):
        picture = Image.fromarray(pixels)
        if mode == "I;16":
            picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        exif = Image.Exif()
        exif[0x0112], exif[0x010E] = 6, "a photo"
        buffer = io.BytesIO()
        more: dict[str, Any] = {"exif": exif} if form in ("JPEG", "PNG", "WEBP", "TIFF") else {}
        picture = picture if mode == "I;16" else picture.convert(mode)
        picture.save(buffer, form, **more)
        made.append(buffer.getvalue())
    table = colour_profiles.old_table(3, 2, colour_profiles.wide_colours)
    for profile in (
        colour_profiles.display_p3(),
        colour_profiles.table_profile(table),
        colour_profiles.table_profile(
            colour_profiles.new_table(3, 2, colour_profiles.wide_colours)
        ),
    ):
        buffer = io.BytesIO()
        Image.fromarray(pixels[..., :3]).save(buffer, "JPEG", icc_profile=profile)
        made.append(buffer.getvalue())
    text = (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage")
    return damage.bytes_like(*made, *text)


TEXTS: dict[str, Reader] = {**label_readers.READERS, **text_readers.READERS}

READERS: dict[str, Reader] = {
    **archive_readers.READERS,
    **model_readers.READERS,
    **taught_readers.READERS,
    "photo": Reader(_pictures, in_file("p.jpg", lambda path: preprocess.load(path, SPEC))),
    **TEXTS,
}
