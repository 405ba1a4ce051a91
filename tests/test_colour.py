"""Colours that a photo's file declares: Python's pixels beside those of real browsers."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests import browser_pixels, engines
from tests import colour_profiles as icc
from toolchain.errors import BadInputError
from toolchain.images import pictures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

pytestmark = pytest.mark.xdist_group("colour")

# Patches of one colour, so that what differs is the colour and no decoder.
RANDOM = np.random.default_rng(0)
PATCHES = RANDOM.integers(0, 256, (12, 16, 4), np.uint8)
PATCHES[0] = np.linspace(0, 255, 16, dtype=np.uint8)[:, None]
PATCHES[1, :7, :3] = [
    *([255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]),
    *([0, 255, 255], [255, 0, 255], [255, 255, 255]),
]
PATCHES[2] = 0
PATCHES[2, :, 3] = PATCHES[0, :, 0]
GREY = np.arange(192, dtype=np.uint8).reshape(12, 16)
LINEAR = icc.profile(icc.matrix_tags(icc.SRGB, icc.gamma(1.0)))
TURNED = icc.turned()
OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 100, "subsampling": 0},
    "png": {},
    "webp": {"lossless": True, "exact": True},
    "avif": {"quality": 100, "subsampling": "4:4:4", "speed": 10},
}


def enlarged(patches: Pixels) -> Pixels:
    return np.repeat(np.repeat(patches, 8, 0), 8, 1)


COLOURS = Image.fromarray(enlarged(PATCHES[..., :3]))
GREYS = Image.fromarray(enlarged(GREY))
INKS = Image.fromarray(enlarged(PATCHES), "CMYK")
SHEER = COLOURS.copy()
SHEER.putalpha(Image.fromarray(enlarged(np.where(GREY % 2, 100, 255).astype(np.uint8))))
PALETTE = COLOURS.quantize(200)


def encoded(form: str, profile: bytes | None = None, image: Image.Image = COLOURS) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **OPTIONS[form], icc_profile=profile or None)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + _crc(name + content)


def _crc(content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(content))


def png(*chunks: tuple[bytes, bytes], image: Image.Image = COLOURS, late: bool = False) -> bytes:
    """Return a PNG with more chunks, before its pixels or after them."""
    plain = encoded("png", image=image)
    at = plain.index(b"IEND") - 4 if late else 33
    return plain[:at] + b"".join(chunk(*one) for one in chunks) + plain[at:]


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def chromaticities(primaries: Any, white: tuple[float, float] = icc.D65) -> tuple[bytes, bytes]:
    numbers = [round(value * 100_000) for pair in (white, *primaries) for value in pair]
    return b"cHRM", struct.pack(">8I", *numbers)


def embedded(profile: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"n\0\0" + zlib.compress(profile)


def code_points(primaries: int, transfer: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes((primaries, transfer, 0, 1))


def named(primaries: int, transfer: int) -> bytes:
    """Return a profile that names its colours by code points, and says others as well."""
    points = b"cicp\0\0\0\0" + bytes((primaries, transfer, 0, 1))
    return icc.profile([*icc.matrix_tags(icc.TURNED, icc.SRGB_CURVE), (b"cicp", points)])


def avif_of(primaries: int, transfer: int, profile: bytes | None = None) -> bytes:
    """Return an AVIF that names its colours by code points."""
    content = encoded("avif", profile)
    at = content.index(b"colrnclx") + 8
    return content[:at] + struct.pack(">HH", primaries, transfer) + content[at + 4 :]


def png_of_16_bits(colours: bool) -> bytes:
    """Return a PNG of 16 bits a channel."""
    shape = (12, 16, 3 if colours else 1)
    pixels = np.random.default_rng(1).integers(0, 65536, shape, np.uint16)
    wide = np.repeat(np.repeat(pixels, 8, 0), 8, 1)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    header = struct.pack(">IIBBBBB", 128, 96, 16, 2 if colours else 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(*embedded(icc.display_p3())) if colours else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def patched(profile: bytes, at: int, new: bytes) -> bytes:
    return profile[:at] + new + profile[at + len(new) :]


def without_adobe_marker(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + struct.unpack_from(">H", jpeg, at + 2)[0] :]


def of_the_library(space: Any) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


COLOUR_TABLE = icc.old_table(3, 9, icc.wide_colours)
PROFILES = {
    "Display P3": icc.display_p3(),
    "Adobe RGB": icc.adobe_rgb(),
    "ProPhoto": icc.prophoto(),
    "sRGB": of_the_library("sRGB"),
    "turned": TURNED,
    "linear": LINEAR,
    "points": icc.turned(icc.points(np.linspace(0, 1, 256) ** 3)),
    "few points": icc.turned(icc.points([0, 0.2, 1])),
    "no curve": icc.turned(b"curv\0\0\0\0\0\0\0\0"),
    "power": icc.turned(icc.formula(0, 2.6)),
    "power from a point on": icc.turned(icc.formula(1, 2.2, 1.05, -0.05)),
    "power and a step": icc.turned(icc.formula(2, 2.2, 1.0, -0.05, 0.02)),
    "all parameters": icc.turned(icc.formula(4, 2.2, 0.9, 0.1, 0.3, 0.05, 0.01, 0.0)),
    "table": icc.table_profile(COLOUR_TABLE),
    "table of bytes": icc.table_profile(icc.old_table(3, 9, icc.wide_colours, "u1")),
    "table, version 4": icc.table_profile(COLOUR_TABLE, version=4),
    "new table": icc.table_profile(icc.new_table(3, 9, icc.wide_colours), version=4),
    "second table": icc.table_profile(COLOUR_TABLE, name=b"A2B1"),
    "table before matrix": icc.profile(
        [(b"A2B0", COLOUR_TABLE), *icc.matrix_tags(icc.TURNED, icc.SRGB_CURVE)], pcs=b"Lab "
    ),
    "code points": named(12, 13),
    "no code points": named(2, 2),
    "absolute intent": patched(TURNED, 64, b"\0\0\0\3"),
    "class of a link": patched(TURNED, 12, b"link"),
    "bytes behind": TURNED + bytes(50),
}
"""What is honoured."""
UNUSABLE = {
    "of no kind": b"nonsense" * 40,
    "cut in its header": TURNED[:100],
    "cut in its tags": TURNED[:200],
    "cut at its end": TURNED[:-20],
    "LAB": of_the_library("LAB"),
    "XYZ": of_the_library("XYZ"),
    "for grey": icc.grey(1.0),
    "for inks": icc.table_profile(icc.old_table(4, 3, icc.inks), b"CMYK"),
    "version 5": patched(TURNED, 8, b"\5"),
    "without signature": patched(TURNED, 36, b"none"),
    "too long": patched(TURNED, 0, struct.pack(">I", len(TURNED) + 100)),
    "too short": patched(TURNED, 0, struct.pack(">I", len(TURNED) - 40)),
    "other white": patched(TURNED, 68, icc.fixed(0.92)),
    "no tags": patched(TURNED, 128, bytes(4)),
    "endless tags": patched(TURNED, 128, b"\xff" * 4),
    "tag outside": patched(TURNED, 136, b"\0\xff\xff\xff"),
    "curve missing": TURNED.replace(b"gTRC", b"none", 1),
    "colour missing": TURNED.replace(b"gXYZ", b"none", 1),
    "unknown formula": TURNED.replace(b"para\0\0\0\0\0\3", b"para\0\0\0\0\0\x09"),
    "unknown curve": TURNED.replace(b"para", b"none"),
    "falling curve": icc.turned(icc.formula(0, -2.0)),
    "third table alone": icc.table_profile(COLOUR_TABLE, name=b"A2B2"),
    "table cut off": icc.table_profile(COLOUR_TABLE[:100]),
    "unknown table": icc.table_profile(b"none" + COLOUR_TABLE[4:]),
}
"""What browsers ignore."""


def cases() -> dict[str, bytes]:
    """Return files of every kind that a browser reads, by names."""
    inks = icc.table_profile(icc.old_table(4, 5, icc.inks), b"CMYK")
    found = {
        f"{name}.{form}": encoded(form, PROFILES[name]) for name in PROFILES for form in OPTIONS
    }
    for form in ("jpeg", "webp"):
        found |= {f"{name}.{form}": encoded(form, UNUSABLE[name]) for name in UNUSABLE}
    # Chromium reads a PNG's colours by the profile of another space, which no other browser does.
    for name in sorted(UNUSABLE.keys() - {"LAB", "XYZ"}):
        found[f"{name}.png"] = encoded("png", UNUSABLE[name])
    for form in ("jpeg", "png"):
        found[f"grey.{form}"] = encoded(form, icc.grey(1.8), GREYS)
        found[f"grey, table.{form}"] = encoded(
            form, icc.profile([(b"kTRC", icc.points([0, 0.1, 1]))], space=b"GRAY"), GREYS
        )
        found[f"grey, Lab.{form}"] = encoded(
            form, icc.profile([(b"kTRC", icc.gamma(1))], space=b"GRAY", pcs=b"Lab "), GREYS
        )
    for form in OPTIONS:
        found[f"grey by a profile of colours.{form}"] = encoded(form, LINEAR, GREYS)
    for form in ("png", "webp", "avif"):
        found[f"sheer.{form}"] = encoded(form, icc.display_p3(), SHEER)
    found["sheer grey.png"] = encoded("png", icc.grey(1.8), GREYS.convert("LA"))
    found["inks.jpeg"] = encoded("jpeg", None, INKS)
    found["inks without a marker.jpeg"] = without_adobe_marker(found["inks.jpeg"])
    found["inks with a profile.jpeg"] = encoded("jpeg", inks, INKS)
    found["inks with a profile of colours.jpeg"] = encoded("jpeg", LINEAR, INKS)
    found["palette.png"] = encoded("png", icc.display_p3(), PALETTE)
    found["16 bits.png"], found["16 bits of grey.png"] = png_of_16_bits(True), png_of_16_bits(False)
    for value in (0.0, 1.0, 1 / 1.8, 0.5, 0.47, 0.45455, 0.44):
        found[f"gamma {value:.5f}.png"] = png(gamma(value))
    found["gamma of grey.png"] = png(gamma(1.0), image=GREYS)
    found["gamma behind.png"] = png(gamma(1.0), late=True)
    found["gamma and colours.png"] = png(gamma(0.45455), chromaticities(icc.DISPLAY_P3))
    found["colours alone.png"] = png(chromaticities(icc.DISPLAY_P3))
    found["colours that are none.png"] = png(gamma(0.45455), chromaticities([(0.1, 0.1)] * 3))
    found["sRGB before gamma.png"] = png((b"sRGB", b"\0"), gamma(1.0))
    found["profile before sRGB.png"] = png((b"sRGB", b"\0"), embedded(TURNED))
    found["profile before gamma.png"] = png(gamma(1.0), embedded(TURNED))
    found["damaged profile and gamma.png"] = png(embedded(b"none" * 50), gamma(1.0))
    found["grey profile and gamma.png"] = png(embedded(icc.grey(1.0)), gamma(1.0))
    found["profile behind.png"] = png(embedded(TURNED), late=True)
    found["code points before profile.png"] = png(code_points(12, 13), embedded(TURNED))
    found["no code points.png"] = png(code_points(2, 2), embedded(TURNED))
    for primaries in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22):
        found[f"primaries {primaries}.png"] = png(code_points(primaries, 13))
    for transfer in (1, 2, 4, 5, 6, 7, 8, 13, 14, 15, 17):
        found[f"transfer {transfer}.png"] = png(code_points(1, transfer))
    for points in ((1, 13), (12, 13), (12, 1), (9, 14), (1, 8), (1, 4), (1, 6), (2, 2), (2, 13)):
        found["code points {} {}.avif".format(*points)] = avif_of(*points)
    found["profile before code points.avif"] = avif_of(12, 13, TURNED)
    return found


CASES = cases()
SHIFTED = {"Display P3": 90, "Adobe RGB": 100, "turned": 200}
"""By how many levels of 255 a profile moves some colour at least: none of it is ignored."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Return what lets an engine look at all files, once."""
    answers: dict[str, dict[str, Any]] = {}

    def look(engine: str) -> dict[str, Any]:
        if reason := engines.lacking(engine):
            pytest.skip(reason)
        if engine not in answers:
            named = {f"{number}.bin": content for number, content in enumerate(CASES.values())}
            found = browser_pixels.seen_in(engine, named, tmp_path_factory.mktemp(engine))
            answers[engine] = dict(zip(CASES, found.values(), strict=True))
        return answers[engine]

    return look


def read(folder: Path, name: str) -> Any:
    path = folder / "photo"
    path.write_bytes(CASES[name])
    return np.asarray(pictures.read(path)).astype(int)


def difference(one: Any, other: Any) -> int:
    return int(np.abs(one - other.astype(int)).max())


@pytest.mark.parametrize("name", CASES)
def test_python_reads_the_colours_that_chromium_shows(
    seen: Callable[[str], dict[str, Any]], tmp_path: Path, name: str
) -> None:
    there = seen("chromium")[name]
    ours = read(tmp_path, name)
    # Half transparent colours are rounded once more, and AVIF's own transparency by its decoder.
    most = 2 if name == "sheer.avif" else 1
    assert difference(ours, there.decoded) <= most
    assert difference(ours, there.shown) <= most


# Firefox and WebKitGTK ignore what Chromium honours, and the other way round, off this path.
EVERYWHERE = [
    *(f"{name}.{form}" for name in ("Display P3", "Adobe RGB", "sRGB") for form in ("jpeg", "png")),
    *(f"{name}.jpeg" for name in ("of no kind", "cut in its tags", "LAB", "for grey", "no tags")),
    "inks.jpeg",
    "palette.png",
]


@pytest.mark.parametrize("name", EVERYWHERE)
@pytest.mark.parametrize("engine", ["firefox", "webkit"])
def test_everyday_photos_have_the_same_colours_in_every_browser(
    seen: Callable[[str], dict[str, Any]], tmp_path: Path, engine: str, name: str
) -> None:
    there = seen(engine)[name]
    ours = read(tmp_path, name)
    assert difference(ours, there.decoded) <= 1
    assert difference(ours, there.shown) <= 1


HDR = {
    "PQ.png": png(code_points(9, 16)),
    "HLG.png": png(code_points(9, 18), embedded(TURNED)),
    "PQ.avif": avif_of(9, 16),
    "PQ.jpeg": encoded("jpeg", named(9, 16)),
}


@pytest.mark.parametrize("name", HDR)
def test_a_photo_that_every_browser_shows_in_another_brightness_is_refused(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(HDR[name])
    with pytest.raises(
        BadInputError, match=r"high dynamic range .* save it with a standard dynamic range"
    ):
        pictures.read(path)


@pytest.mark.parametrize("form", OPTIONS)
@pytest.mark.parametrize("name", SHIFTED)
def test_a_profile_moves_colours_and_a_damaged_one_moves_none(
    tmp_path: Path, name: str, form: str
) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(encoded(form))
    stored = np.asarray(pictures.read(plain)).astype(int)
    assert difference(read(tmp_path, f"{name}.{form}"), stored) > SHIFTED[name]
    if form in ("jpeg", "webp"):
        assert difference(read(tmp_path, f"cut at its end.{form}"), stored) == 0
