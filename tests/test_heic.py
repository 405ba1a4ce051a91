"""HEIC photos: read like others with pillow-heif, and named with the way out without it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import colour_profiles
from toolchain.errors import BadInputError
from toolchain.images import heic, pictures, taken
from toolchain.progress import Silent
from toolchain.training import photo_set

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOSS = 8  # levels of 255 that the codec may change of a patch


def patches() -> Image.Image:
    corners = [[[200, 40, 40], [40, 200, 40]], [[40, 40, 200], [200, 200, 40]]]
    return Image.fromarray(np.kron(np.array(corners, np.uint8), np.ones((32, 48, 1), np.uint8)))


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the patches as HEIC, under any name."""
    library = pytest.importorskip("pillow_heif")

    def write(name: str = "photo.heic", **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        library.from_pillow(patches()).save(path, quality=-1, chroma=444, **options)
        return path

    return write


def centres(image: Image.Image) -> np.ndarray[Any, Any]:
    """Return the four patches' middle pixels, clockwise from the upper left."""
    pixels = np.asarray(image.convert("RGB"), int)
    height, width = pixels.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return np.array([pixels[row, column] for row in rows for column in columns])


@pytest.mark.parametrize("name", ["photo.heic", "photo.jpg"])
def test_it_is_read_whatever_its_name_says(written: Callable[..., Path], name: str) -> None:
    image = pictures.read(written(name))
    assert image.size == patches().size
    assert np.abs(centres(image) - centres(patches())).max() <= LOSS


def test_it_is_upright(written: Callable[..., Path]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the upper side is on the right
    image = pictures.read(written(exif=exif.tobytes()))
    wanted = patches().transpose(Image.Transpose.ROTATE_270)
    assert image.size == wanted.size
    assert np.abs(centres(image) - centres(wanted)).max() <= LOSS


def test_its_colours_become_srgb(written: Callable[..., Path], tmp_path: Path) -> None:
    profile = colour_profiles.display_p3()
    found = centres(pictures.read(written(icc_profile=profile)))
    patches().save(tmp_path / "photo.png", icc_profile=profile)
    wanted = centres(pictures.read(tmp_path / "photo.png"))
    assert np.abs(wanted - centres(patches())).max() > 2 * LOSS
    assert np.abs(found - wanted).max() <= LOSS


def test_its_time_tells_sessions(written: Callable[..., Path]) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2026:05:01 10:20:30"
    assert taken.when(written(exif=exif.tobytes())) == datetime(2026, 5, 1, 10, 20, 30)  # noqa: DTZ001


def test_a_damaged_one_is_refused(written: Callable[..., Path]) -> None:
    path = written()
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(BadInputError, match=r"photo\.heic cannot be read as a picture"):
        pictures.read(path)


HEADER = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (HEADER, True),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafheic", True),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1heic", False),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", False),
        (b"\xff\xd8\xff\xe0heic", False),
        (b"", False),
    ],
)
def test_the_first_box_tells(head: bytes, wanted: bool, tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_bytes(head + bytes(80))
    with path.open("rb") as file:
        assert heic.is_heic(file) == wanted
        assert file.tell() == 0


def test_without_the_library_it_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heic, "find_spec", lambda _: None)
    path = tmp_path / "photo.heic"
    path.write_bytes(HEADER + bytes(80))
    with pytest.raises(BadInputError, match=r"it is a HEIC photo; install `toolchain\[heic\]`"):
        pictures.read(path)
    assert taken.when(path) is None


def test_training_names_the_library_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolchain.training import features, preparation
    from toolchain.training.options import TrainOptions

    folder = tmp_path / "photos"
    for tag in ("a", "b"):
        (folder / tag).mkdir(parents=True)
        for number in range(4):
            shade = 40 + 50 * number + (tag == "b")
            Image.new("RGB", (8, 8), (shade, shade, shade)).save(folder / tag / f"{number}.png")
    (folder / "a" / "IMG_1.HEIC").write_bytes(HEADER + bytes(80))
    photos = photo_set.read(folder)
    broken = frozenset(p.sha256 for p in photos.photos if p.path.suffix == ".HEIC")
    rows = np.random.default_rng(0).normal(size=(len(photos.photos), 3)).astype(np.float32)
    monkeypatch.setattr(features, "extract", lambda *_, **__: ([rows], broken))
    base = type("Base", (), {"taps": (0,), "columns": lambda *_: slice(0, 3)})()

    class Warned(Silent):
        def warn(self, message: str) -> None:
            said.append(message)

    for is_there, more in ((None, 1), (object(), 0)):
        said: list[str] = []
        monkeypatch.setattr(heic, "find_spec", lambda _, found=is_there: found)
        preparation.prepare(photos, (base,), TrainOptions(folder), None, Warned())  # type: ignore[arg-type]
        assert said[0] == "1 file cannot be read as a picture and is left out: a/IMG_1.HEIC"
        assert [heic.WAY_OUT in each for each in said[1:]] == [True] * more
