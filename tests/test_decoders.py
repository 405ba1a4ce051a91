"""Pictures of every make: Python decodes them to Chromium's pixels, to one level of 255."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import browser_pixels
from tests.browser import SAMPLES
from toolchain.images import pictures

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("decoders")

with Image.open(SAMPLES / "palace.jpg") as _sample:
    PHOTO = _sample.convert("RGB").crop((0, 0, 201, 151))  # odd, as chroma's halves are rounded
PATCHES = np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8)
FRAMES = [Image.fromarray(np.roll(PATCHES, turn).repeat(16, 0).repeat(16, 1)) for turn in range(3)]
SHEER = [frame.convert("RGBA") for frame in FRAMES]
for _frame in SHEER:
    _alpha = np.full((96, 128), 255, np.uint8)
    _alpha[:, :40], _alpha[:, 40:60] = 0, 128
    _frame.putalpha(Image.fromarray(_alpha))
GREYS = np.asarray(FRAMES[0].convert("L")).astype(np.uint16)


def encoded(form: str, image: Image.Image = PHOTO, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def animated(form: str, frames: list[Image.Image], **options: Any) -> bytes:
    return encoded(form, frames[0], save_all=True, append_images=frames[1:], **options)


def chunk(name: bytes, content: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + crc


def png(pixels: Any, depth: int, hole: tuple[int, ...] | None) -> bytes:
    """Return a PNG of grey, or of colours, with one of them transparent."""
    height, width = pixels.shape[:2]
    kind = 2 if pixels.ndim == 3 else 0
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in pixels]
    else:
        bits = np.unpackbits(pixels[..., None].astype(np.uint8), axis=-1)[..., 8 - depth :]
        rows = [np.packbits(row.ravel()).tobytes() for row in bits]
    content = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    if hole is not None:
        content += chunk(b"tRNS", struct.pack(f">{len(hole)}H", *hole))
    content += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


def cases() -> dict[str, bytes]:
    """Return files by what is special of them."""
    found = {
        f"{subsampling}{' progressive' * progressive}.jpeg": encoded(
            "jpeg", subsampling=subsampling, progressive=progressive, quality=90
        )
        for subsampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1")
        for progressive in (False, True)
    }
    found["coarse.jpeg"] = encoded("jpeg", quality=5)
    found["grey.jpeg"] = encoded("jpeg", PHOTO.convert("L"))
    found["inks.jpeg"] = encoded("jpeg", PHOTO.convert("CMYK"), quality=80)
    found["without YCbCr.jpeg"] = encoded("jpeg", keep_rgb=True)
    found["lossy.webp"] = encoded("webp", quality=40)
    for subsampling in ("4:4:4", "4:2:2", "4:2:0", "4:0:0"):
        found[f"{subsampling}.avif"] = encoded("avif", quality=60, subsampling=subsampling)
    found["limited range.avif"] = encoded("avif", quality=60, range="limited")
    found["palette.png"] = encoded("png", PHOTO.quantize(200))
    found["sheer palette.png"] = encoded("png", PHOTO.quantize(200), transparency=bytes(range(200)))
    found["a sheer colour.png"] = encoded(
        "png", FRAMES[0], transparency=tuple(int(value) for value in PATCHES[0, 0])
    )
    for depth in (1, 2, 4, 8):
        grey = GREYS >> (8 - depth)
        for hole in (None, (int(grey[0, 0]),)):
            found[f"{depth} bits of grey{', one sheer' * bool(hole)}.png"] = png(grey, depth, hole)
    wide = np.asarray(FRAMES[0]).astype(np.uint16) * 255 + 40
    for colour in (None, tuple(int(value) for value in wide[0, 0])):
        found[f"16 bits{', one sheer' * bool(colour)}.png"] = png(wide, 16, colour)
        grey_hole = colour and colour[:1]
        found[f"16 bits of grey{', one sheer' * bool(hole)}.png"] = png(wide[..., 0], 16, grey_hole)
    for form in ("png", "gif", "webp"):
        lossless = {"lossless": True} if form == "webp" else {}
        found[f"animated.{form}"] = animated(form, FRAMES, **lossless)
        found[f"animated, sheer.{form}"] = animated(form, SHEER, **lossless)
    found["animated, with a picture for others.png"] = animated("png", FRAMES, default_image=True)
    found["sheer.bmp"] = encoded("bmp", SHEER[0])
    found["palette.bmp"] = encoded("bmp", FRAMES[0].quantize(16))
    found["sizes.ico"] = encoded("ico", FRAMES[0], sizes=[(16, 16), (32, 32), (64, 64)])
    return found


CASES = cases()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what Chromium makes of the files."""
    named = {f"{number}.bin": content for number, content in enumerate(CASES.values())}
    found = browser_pixels.seen_in("chromium", named, tmp_path_factory.mktemp("decoders"))
    return dict(zip(CASES, found.values(), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_python_decodes_chromiums_pixels(seen: dict[str, Any], tmp_path: Path, name: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(CASES[name])
    ours = np.asarray(pictures.read(path)).astype(int)
    assert ours.shape == seen[name].decoded.shape
    assert np.abs(ours - seen[name].decoded).max() <= 1
