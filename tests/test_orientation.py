"""Which way up a photo is: one answer of Python's and of real browsers', whatever its file says."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import browser_pixels, engines
from toolchain.images import orientation, pictures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("orientation")

# Six patches, so that each of the eight orientations looks different.
CORNERS = [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 0], [0, 255, 255], [255, 0, 255]]]
STORED = Image.fromarray(np.kron(np.array(CORNERS, np.uint8), np.ones((32, 32, 1), np.uint8)))
OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 100, "subsampling": 0},
    "png": {},
    "webp": {"lossless": True},
    "avif": {"quality": 100, "subsampling": "4:4:4"},
}
LOSS = 12
"""What a codec may change of a patch, in levels of 255: another patch differs by 255."""


def tiff(value: int, *, form: str = ">", kind: int = 3, count: int = 1) -> bytes:
    """Return EXIF data with an orientation alone, from the TIFF header on."""
    head = b"MM\0*" if form == ">" else b"II*\0"
    stored = struct.pack(f"{form}I" if kind == 4 else f"{form}HH", *([value, 0][: 3 - kind // 2]))
    entry = struct.pack(f"{form}HHI", 0x0112, kind, count) + stored
    return head + struct.pack(f"{form}IH", 8, 1) + entry + bytes(4)


def encoded(form: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    STORED.save(buffer, form, **OPTIONS.get(form, {}), **more)
    return buffer.getvalue()


def jpeg(*segments: bytes) -> bytes:
    """Return a JPEG that begins with these application segments."""
    plain = encoded("jpeg")
    head = b"".join(b"\xff\xe1" + struct.pack(">H", len(one) + 2) + one for one in segments)
    return plain[:2] + head + plain[2:]


def png(name: bytes, content: bytes, *, late: bool = False) -> bytes:
    plain = encoded("png")
    at = plain.index(b"IEND") - 4 if late else 33
    crc = struct.pack(">I", zlib.crc32(name + content))
    return plain[:at] + struct.pack(">I", len(content)) + name + content + crc + plain[at:]


def avif(turns: int) -> bytes:
    """Return an AVIF that says in its own boxes how often it is turned, and 1 in its EXIF data."""
    content = encoded("avif", exif=b"Exif\0\0" + tiff(6))
    at = content.index(b"irot") + 4
    return content[:at] + bytes([turns]) + content[at + 1 :]


def several_pictures() -> bytes:
    buffer = io.BytesIO()
    other = [STORED.transpose(Image.Transpose.ROTATE_180)]
    exif = b"Exif\0\0" + tiff(6)
    STORED.save(buffer, "MPO", save_all=True, append_images=other, exif=exif, **OPTIONS["jpeg"])
    return buffer.getvalue()


EXIF = b"Exif\0\0"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
ADOBE = b"http://ns.adobe.com/xap/1.0/\0"
CASES = {
    **{
        f"{value}.{form}": encoded(form, exif=EXIF + tiff(value))
        for value in range(10)
        for form in OPTIONS
    },
    "little-endian.jpeg": jpeg(EXIF + tiff(6, form="<")),
    "first of two.jpeg": jpeg(EXIF + tiff(6), EXIF + tiff(3)),
    "of another type.jpeg": jpeg(EXIF + tiff(6, kind=4)),
    "two values.jpeg": jpeg(EXIF + tiff(6, count=2)),
    "no value.jpeg": jpeg(EXIF + tiff(6, count=0)),
    "XMP alone.jpeg": jpeg(ADOBE + XMP),
    "XMP and another.jpeg": jpeg(ADOBE + XMP, EXIF + tiff(1)),
    "several pictures.jpeg": several_pictures(),
    "behind the pixels.png": png(b"eXIf", tiff(6), late=True),
    "with a prefix.png": png(b"eXIf", EXIF + tiff(6)),
    "in a text.png": png(
        b"zTXt",
        b"Raw profile type exif\0\0"
        + zlib.compress(b"\nexif\n      32\n" + (EXIF + tiff(6)).hex().encode() + b"\n"),
    ),
    "XMP alone.png": png(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
    "XMP alone.webp": encoded("webp", xmp=XMP),
    "own boxes, none.avif": avif(0),
    "own boxes, half a turn.avif": avif(2),
    "plain.gif": encoded("gif"),
    "plain.bmp": encoded("bmp"),
}
NOT_TURNED_BY_WEBKITGTK = ("png", "avif")
TURNED_ALIKE = [
    (engine, name)
    for engine in engines.ENGINES
    for name in CASES
    if engine != "webkit" or not name.endswith(NOT_TURNED_BY_WEBKITGTK)
]


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


def assert_same_way_up(one: Any, other: Any) -> None:
    assert one.shape == other.shape
    assert np.abs(one.astype(int) - other.astype(int)).max() <= LOSS


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("engine", engines.ENGINES)
def test_what_the_model_is_given_lies_as_the_visitor_sees_it(
    seen: Callable[[str], dict[str, Any]], engine: str, name: str
) -> None:
    there = seen(engine)[name]
    assert_same_way_up(there.decoded, there.shown)


@pytest.mark.parametrize(("engine", "name"), TURNED_ALIKE)
def test_python_turns_a_photo_as_browsers_do(
    seen: Callable[[str], dict[str, Any]], tmp_path: Path, engine: str, name: str
) -> None:
    path = tmp_path / "photo"
    path.write_bytes(CASES[name])
    assert_same_way_up(np.asarray(pictures.read(path)), seen(engine)[name].decoded)


@pytest.mark.parametrize("form", ["jpeg", "png", "avif"])
def test_the_eight_orientations_are_all_different(tmp_path: Path, form: str) -> None:
    """Without this the tests above would pass if nothing were ever turned."""
    found = set()
    for value in range(1, 9):
        path = tmp_path / str(value)
        path.write_bytes(CASES[f"{value}.{form}"])
        turned = np.asarray(pictures.read(path))
        found.add((turned.shape, (turned[16::32, 16::32] > 128).tobytes()))
    assert len(found) == 8


@pytest.mark.parametrize("length", range(len(tiff(6)) - 4))
def test_exif_data_that_is_cut_off_turns_nothing(length: int) -> None:
    assert orientation.of_exif(tiff(6)) == 6
    assert orientation.of_exif(tiff(6)[:length]) == orientation.UPRIGHT
