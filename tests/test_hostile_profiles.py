"""Colour profiles that were made to break what reads them."""

from __future__ import annotations

import io
import struct
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests import colour_profiles
from toolchain.images import pictures
from toolchain.images.colour import icc, png, srgb

if TYPE_CHECKING:
    from pathlib import Path

TABLE = colour_profiles.old_table(3, 2, colour_profiles.wide_colours)
NEW_TABLE = colour_profiles.new_table(3, 2, colour_profiles.wide_colours)
WHOLE = {
    "matrix": colour_profiles.display_p3(),
    "points": colour_profiles.turned(colour_profiles.points([0, 0.2, 1])),
    "table": colour_profiles.table_profile(TABLE),
    "table of bytes": colour_profiles.table_profile(
        colour_profiles.old_table(3, 2, colour_profiles.wide_colours, "u1")
    ),
    "new table": colour_profiles.table_profile(NEW_TABLE),
    "formula": colour_profiles.turned(
        colour_profiles.formula(4, 2.2, 0.9, 0.1, 0.3, 0.05, 0.01, 0.0)
    ),
}
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", WHOLE)
def test_a_profile_with_any_damage_is_used_or_ignored(name: str) -> None:
    random = np.random.default_rng(1)
    used = 0
    for _ in range(1500):
        content = bytearray(WHOLE[name])
        for _ in range(random.integers(1, 4)):
            content[random.integers(0, len(content))] = random.integers(0, 256)
        profile = icc.first_usable(bytes(content), [b"RGB "])
        if profile is not None:
            used += 1
            assert srgb.convert(PIXELS, profile).shape == PIXELS.shape
    assert 0 < used < 1500


@pytest.mark.parametrize("name", WHOLE)
def test_a_profile_that_is_cut_off_anywhere_is_ignored(name: str) -> None:
    assert icc.first_usable(WHOLE[name], [b"RGB "]) is not None
    for length in range(len(WHOLE[name]) - 4):
        assert icc.first_usable(WHOLE[name][:length], [b"RGB "]) is None


def test_a_small_profile_cannot_ask_for_much_memory() -> None:
    vast = {
        "curve": colour_profiles.turned(b"curv\0\0\0\0\xff\xff\xff\xff"),
        "table": colour_profiles.table_profile(TABLE[:10] + b"\xff" + TABLE[11:]),
        "new table": colour_profiles.table_profile(
            NEW_TABLE.replace(b"\2\2\2\0", b"\xff\xff\xff\0")
        ),
        "tags": WHOLE["matrix"][:128] + b"\xff\xff\xff\xff" + WHOLE["matrix"][132:],
    }
    tracemalloc.start()
    for content in vast.values():
        assert icc.first_usable(content, [b"RGB "]) is None
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20


def test_tags_that_are_all_the_whole_profile_are_not_copied() -> None:
    size, count = icc.MAX_BYTES, icc.MAX_TAGS
    head = WHOLE["matrix"][:128] + struct.pack(">I", count)
    names = [struct.pack(">4sII", b"%04d" % number, 0, size) for number in range(count)]
    content = (struct.pack(">I", size) + (head + b"".join(names))[4:]).ljust(size, b"\0")
    tracemalloc.start()
    assert icc.is_profile(content)
    assert icc.first_usable(content, [b"RGB "]) is None
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20
    assert not icc.is_profile(content + b"\0")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "parameters", [(30000.0,), (0.0,)], ids=["beyond all numbers", "the same everywhere"]
)
def test_a_curve_of_extremes_gives_colours(parameters: tuple[float, ...]) -> None:
    curve = colour_profiles.formula(3, *parameters, 30000, 0, 30000, 0)
    profile = icc.first_usable(colour_profiles.turned(curve), [b"RGB "])
    assert profile is not None
    assert srgb.convert(PIXELS, profile).shape == PIXELS.shape


def test_a_fine_curve_is_ignored_with_its_profile() -> None:
    most = [0, 1] * (icc.MAX_POINTS // 2)
    content = colour_profiles.turned(colour_profiles.points(most))
    assert icc.first_usable(content, [b"RGB "]) is not None
    content = colour_profiles.turned(colour_profiles.points([*most, 1]))
    assert icc.first_usable(content, [b"RGB "]) is None


def test_a_png_that_is_nothing_but_chunks_is_read_in_bounds() -> None:
    chunks = b"\x89PNG\r\n\x1a\n" + (struct.pack(">I4s", 0, b"tEXt") + bytes(4)) * 50_000
    file = io.BytesIO(chunks)
    assert png.read(file).chunks == {}
    assert file.tell() <= 8 + 12 * png.MAX_CHUNKS


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_a_photo_with_a_damaged_profile_is_read_as_it_is(tmp_path: Path, form: str) -> None:
    image = Image.fromarray(PIXELS)
    image.save(tmp_path / "plain", form, lossless=True)
    image.save(tmp_path / "damaged", form, lossless=True, icc_profile=WHOLE["matrix"][:-8])
    damaged, plain = (np.asarray(pictures.read(tmp_path / name)) for name in ("damaged", "plain"))
    assert np.array_equal(damaged, plain)
