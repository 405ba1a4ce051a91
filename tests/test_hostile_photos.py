"""Folders of photos as they come: thousands, some broken, some bombs, some no files at all."""

from __future__ import annotations

import io
import os
import resource
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import tiny_models
from toolchain import cli
from toolchain.errors import BadInputError
from toolchain.evaluation.stage import EvaluationOptions
from toolchain.graph import preprocess
from toolchain.images import pictures
from toolchain.photos import photo_folder
from toolchain.pipeline.evaluate import evaluate
from toolchain.progress import Silent
from toolchain.records.card import Declared, InputSpec
from toolchain.report import thumbnails
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = [
    pytest.mark.xdist_group("photos"),
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX pipes"),
]

COUNT = 5000
BROKEN = 37
SPEC = InputSpec(height=32, width=32, value_range=(0, 1))
ODD = "line\nbreak \x1b[2J\udcff\u202e.jpg"


def encoded(form: str, mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture of noise, 40 by 36 pixels."""
    pixels = np.random.default_rng(1).integers(0, 255, (36, 40, 3), np.uint8)
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    if mode == "I;16":
        picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """Return a PNG of one colour: a few hundred bytes that declare any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 16), 9)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


JPEG = encoded("JPEG", quality=80)
# Content that is no picture, or none that can be shown.
BAD = {
    "empty": b"",
    "text": b"not a picture",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "page": b"<!doctype html><title>404</title>",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(proof) (w) file\nshowpage\n",
    "cut": JPEG[: len(JPEG) // 2],
    "head": JPEG[:20],
    "zeros": bytes(2000),
    "bomb": png_bomb(50_000, 50_000),
    "bomb of one line": png_bomb(2_000_000_000, 1),
    "large": png_bomb(12_000, 12_000),
    "pickle": b"cos\nmkdir\n(S'proof'\ntR.",
}
# Pictures that are unusual and whole.
GOOD = {
    "gray": encoded("JPEG", "L"),
    "cmyk": encoded("JPEG", "CMYK"),
    "one bit": encoded("PNG", "1"),
    "palette": encoded("PNG", "P"),
    "16 bits": encoded("PNG", "I;16"),
    "transparent": encoded("WEBP", "RGBA"),
    "bmp": encoded("BMP"),
    "tiff": encoded("TIFF"),
    "exif that lies": encoded("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 40),
    "many frames": encoded(
        "GIF", "P", save_all=True, append_images=[Image.new("P", (40, 36))] * 99
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_an_unusual_picture_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "p.jpg").write_bytes(GOOD[name])
    image = preprocess.load(tmp_path / "p.jpg", SPEC)
    assert image.shape == (32, 32, 3)
    assert np.isfinite(image).all()
    assert np.ptp(image) > 0.1


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_refused_and_not_decoded(tmp_path: Path, name: str) -> None:
    (tmp_path / "p.jpg").write_bytes(BAD[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadInputError, match=r"p\.jpg cannot be read as a picture"):
        pictures.read(tmp_path / "p.jpg")
    assert thumbnails.of(tmp_path, ["p.jpg"]) == {}
    assert not (tmp_path / "proof").exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB


def test_a_phones_largest_photo_is_within_the_bound() -> None:
    assert 12_000 * 9_000 < pictures.MAX_PIXELS < 12_000 * 12_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 5,000 photos in a folder for each of five classes, 37 of them broken."""
    root = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(0)
    kinds = []
    for name in tiny_models.names():
        kinds.append(root / name)
        kinds[-1].mkdir()
    whole = []
    for number in range(20):
        top = random.integers(2, 256, 3)
        whole.append(root / f".{number}.jpg")
        pixels = random.integers(0, top, (40, 44, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(whole[-1], quality=80)
    bad = list(BAD.values())
    for number in range(COUNT - 4):
        path = kinds[number % len(kinds)] / f"{number:04}.jpg"
        if number < BROKEN - 4:
            path.write_bytes(bad[number % len(bad)])
        else:
            os.link(whole[number % len(whole)], path)
    (kinds[0] / "loop.jpg").symlink_to("loop.jpg")
    (kinds[0] / "nowhere.jpg").symlink_to("/nowhere/at/all.jpg")
    os.mkfifo(kinds[0] / "pipe.jpg")
    (kinds[1] / os.fsdecode(os.fsencode(ODD))).write_bytes(b"no picture")
    # A folder that holds itself is not gone into.
    (kinds[2] / "again").symlink_to(root, target_is_directory=True)
    return root


def test_of_thousands_the_broken_are_counted_and_named_and_the_rest_used(
    tiny: Path, folder: Path, session_store: Store
) -> None:
    options = EvaluationOptions(
        Request(str(tiny)),
        folder,
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
        workers=1,
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = evaluate(options, store=session_store, progress=Silent())
    assert found.broken == BROKEN
    assert found.verdict.photos == COUNT - BROKEN
    assert found.verdict.top1 is not None
    assert found.verdict.top1.of == COUNT - BROKEN
    assert found.broken_photos == tuple(f"thing 0/{number:04}.jpg" for number in range(0, 25, 5))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 600 << 10, f"{grown} KiB more in memory"  # TensorFlow's own loading included


def test_a_name_that_would_move_the_cursor_is_printed_as_text(
    tiny: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    small = tmp_path / "photos" / "thing 0"
    small.mkdir(parents=True)
    (small / "a.jpg").write_bytes(JPEG)
    (small / os.fsdecode(os.fsencode(ODD))).write_bytes(b"no picture")
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    words = ("evaluate", tiny, small.parent, "--labels", labels, "--value-range", "0,1")
    monkeypatch.setattr(sys, "argv", ["toolchain", *map(str, words)])
    with pytest.raises(SystemExit) as done:
        cli.main()
    printed, told = capfd.readouterr()
    assert done.value.code == 0, told
    assert r"1 (thing 0/line\nbreak \x1b[2J\udcff\u202e.jpg)" in printed.replace("\n", "")
    assert not {"\x1b", "\u202e", "\udcff"} & set(printed + told)
    # A class that no label has is named in the error.
    (small.parent / "\x1b[2Jclear").mkdir()
    (small.parent / "\x1b[2Jclear" / "a.jpg").write_bytes(JPEG)
    with pytest.raises(SystemExit) as done:
        cli.main()
    told = capfd.readouterr().err
    assert done.value.code == 2
    assert r"\x1b[2Jclear" in told
    assert "\x1b" not in told
    assert len(photo_folder.find(folder).paths) == COUNT
