"""From a photo to the network's input, against TensorFlow's own resizing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph import preprocess
from toolchain.records.card import InputSpec

if TYPE_CHECKING:
    from pathlib import Path

    Pixels = np.ndarray[Any, Any]

BYTES = (0.0, 255.0)


def spec(height: int, width: int, crop: float = 1.0, values: tuple[float, float] = BYTES) -> Any:
    return InputSpec(height=height, width=width, value_range=values, crop_fraction=crop)


def noise(height: int, width: int, channels: int = 3) -> Pixels:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(height * 1000 + width).integers(0, 256, shape, np.uint8)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("size", "target"),
    [
        ((500, 333), (224, 224)),
        ((1024, 768), (224, 224)),
        ((257, 255), (96, 128)),
        ((224, 224), (224, 224)),
        ((100, 30), (224, 192)),
        ((31, 500), (32, 32)),
        ((1, 1), (16, 16)),
        ((2, 3), (1, 1)),
        ((3001, 7), (8, 8)),
    ],
)
def test_resizing_is_tensorflows_with_antialiasing(
    size: tuple[int, int], target: tuple[int, int]
) -> None:
    tf = tensorflow.load()
    pixels = noise(*size).astype(np.float32)
    expected = tf.image.resize(pixels, target, method="bilinear", antialias=True).numpy()
    resized = preprocess.resize(pixels, *target)
    assert resized.shape == (*target, 3)
    assert resized.dtype == np.float32
    assert np.abs(resized - expected).max() < 0.01


def test_a_real_photo_is_fed_as_tensorflow_would(shared: Path) -> None:
    tf = tensorflow.load()
    for path in sorted((shared / "data" / "imagenet-500").rglob("*.jpg"))[::125]:
        pixels = np.asarray(Image.open(path).convert("RGB"), np.float32)
        side = int(min(pixels.shape[:2]) * 0.875 + 0.5)
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        crop = pixels[top : top + side, left : left + side]
        expected = tf.image.resize(crop, (224, 224), method="bilinear", antialias=True).numpy()
        fed = preprocess.load(path, spec(224, 224, 0.875, (-1.0, 1.0)))
        assert np.abs((fed + 1) * 127.5 - expected).max() < 0.01


@pytest.mark.parametrize(
    ("photo", "shape", "crop", "box"),
    [
        ((500, 400), (224, 224), 1.0, (50, 0, 400, 400)),
        ((400, 500), (224, 224), 1.0, (0, 50, 400, 400)),
        ((500, 400), (224, 224), 0.875, (75, 25, 350, 350)),
        ((256, 256), (224, 224), 0.875, (16, 16, 224, 224)),
        ((501, 401), (224, 224), 1.0, (50, 0, 401, 401)),
        ((501, 333), (224, 224), 0.875, (105, 21, 291, 291)),
        ((1, 1), (224, 224), 0.875, (0, 0, 1, 1)),
        ((1, 1), (224, 224), 0.1, (0, 0, 1, 1)),
        ((1000, 1), (224, 224), 1.0, (499, 0, 1, 1)),
        ((2, 2), (224, 224), 0.875, (0, 0, 2, 2)),
        # Not square: height 192, width 256.
        ((800, 600), (192, 256), 1.0, (0, 0, 800, 600)),
        ((600, 600), (192, 256), 1.0, (0, 75, 600, 450)),
        ((1000, 300), (192, 256), 0.5, (400, 75, 200, 150)),
        ((3, 7), (256, 64), 1.0, (0, 0, 2, 7)),
    ],
)
def test_the_crop_is_centred_and_of_the_networks_shape(
    photo: tuple[int, int],
    shape: tuple[int, int],
    crop: float,
    box: tuple[int, int, int, int],
) -> None:
    assert preprocess.crop_box(*photo, spec(*shape, crop)) == box


def test_no_crop_leaves_the_photo_whatever_its_size() -> None:
    for width in range(1, 60):
        for height in range(1, 60):
            for crop in (1.0, 0.875, 0.01):
                left, top, *size = preprocess.crop_box(width, height, spec(96, 128, crop))
                assert left >= 0 < size[0] <= width - left
                assert top >= 0 < size[1] <= height - top


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-127 / 128, 1.0)])
def test_black_and_white_become_the_ends_of_the_range(values: tuple[float, float]) -> None:
    for colour, end in (("black", values[0]), ("white", values[1])):
        fed = preprocess.prepare(Image.new("RGB", (50, 40), colour), spec(8, 8, values=values))
        assert fed.dtype == np.float32
        assert fed.shape == (8, 8, 3)
        np.testing.assert_allclose(fed, end, atol=1e-6)


def test_channels_are_red_green_blue() -> None:
    fed = preprocess.prepare(Image.new("RGB", (5, 5), (10, 20, 30)), spec(2, 2))
    np.testing.assert_allclose(fed[0, 0], [10, 20, 30], atol=1e-3)


UNDO = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}
"""How a camera stores an upright photo under each EXIF orientation."""


@pytest.mark.parametrize("suffix", ["jpg", "png", "avif"])
@pytest.mark.parametrize("orientation", UNDO)
def test_a_photo_is_turned_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = Image.fromarray(noise(2, 3)).resize((96, 64), Image.Resampling.NEAREST)
    stored = upright
    for step in UNDO[orientation]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, dict[str, Any]] = {
        "png": {},
        "jpg": {"quality": 100, "subsampling": 0},
        "avif": {"quality": 100, "subsampling": "4:4:4"},
    }
    path = save(tmp_path / f"photo.{suffix}", stored, exif=exif, **options[suffix])
    fed = preprocess.load(path, spec(64, 96))
    assert np.abs(fed - np.asarray(upright, np.float32)).mean() < 2.0


def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    path = save(tmp_path / "photo.png", Image.fromarray(noise(4, 6)), exif=exif)
    np.testing.assert_allclose(preprocess.load(path, spec(4, 6)), noise(4, 6), atol=1e-3)


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3, 1))
    for x, alpha in enumerate((0, 128, 255)):
        image.putpixel((x, 0), (200, 100, 0, alpha))
    fed = preprocess.load(save(tmp_path / "a.png", image), spec(1, 3))
    expected = [[255, 255, 255], [227.4, 177.2, 127], [200, 100, 0]]
    assert np.abs(fed[0] - expected).max() < 1.5


def test_a_transparent_palette_colour_is_white_and_the_others_are_themselves(
    tmp_path: Path,
) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    for suffix in ("png", "gif"):
        path = save(tmp_path / f"a.{suffix}", image, transparency=0)
        np.testing.assert_allclose(
            preprocess.load(path, spec(1, 2))[0], [[255, 255, 255], [0, 0, 255]], atol=1e-3
        )


@pytest.mark.parametrize(
    ("mode", "colour", "expected", "suffix"),
    [
        ("L", 100, (100, 100, 100), "png"),
        ("LA", (100, 255), (100, 100, 100), "png"),
        ("1", 1, (255, 255, 255), "png"),
        ("I;16", 100 * 257, (100, 100, 100), "png"),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0), "jpg"),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0), "tif"),
        ("P", 0, (0, 0, 0), "gif"),
    ],
)
def test_every_colour_model_becomes_rgb(
    tmp_path: Path, mode: str, colour: Any, expected: tuple[int, int, int], suffix: str
) -> None:
    path = save(tmp_path / f"photo.{suffix}", Image.new(mode, (16, 16), colour))
    fed = preprocess.load(path, spec(4, 4))
    assert np.abs(fed - expected).max() < 3


def test_the_first_picture_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(preprocess.load(path, spec(1, 1))[0, 0], [255, 0, 0], atol=1e-3)


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(buffer, "jpeg")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"<!doctype html>", jpeg()[:200], jpeg()[:-2000], b"\x89PNG\r\n\x1a\n" + bytes(50), None],
    ids=["empty", "page", "head", "cut off", "no chunks", "not there"],
)
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "photo.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError, match="cannot be read as a picture") as raised:
        preprocess.load(path, spec(8, 8))
    assert str(path) in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_picture_that_swells_without_bounds_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "bomb.png", Image.new("1", (20_000, 20_000)))
    with pytest.raises(BadInputError, match="cannot be read as a picture"):
        preprocess.load(path, spec(8, 8))


def test_a_text_that_swells_within_a_picture_is_refused(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("comment", "x" * (65 << 20), zip=True)
    path = save(tmp_path / "text.png", Image.new("RGB", (4, 4)), pnginfo=info)
    with pytest.raises(BadInputError, match="cannot be read as a picture"):
        preprocess.load(path, spec(8, 8))


def test_the_undoing_in_this_file_is_pillows_own() -> None:
    """Without this the test of orientations would only prove itself."""
    image = Image.fromarray(noise(2, 3))
    for orientation, steps in UNDO.items():
        stored = image
        for step in steps:
            stored = stored.transpose(step)
        stored.getexif()[0x0112] = orientation
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(stored)), np.asarray(image))


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_mean_and_deviation_are_of_red_green_and_blue_whatever_the_order(channels: Any) -> None:
    tf = tensorflow.load()
    pixels = noise(4, 4).astype(np.float32)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    wanted = InputSpec(
        height=4, width=4, value_range=(0.0, 1.0), mean=mean, std=std, channels=channels
    )
    torch = tf.keras.applications.imagenet_utils.preprocess_input(pixels.copy(), mode="torch")
    expected = torch if channels == "rgb" else torch[..., ::-1]
    fed = preprocess.values(pixels, wanted)
    assert fed.dtype == np.float32
    assert fed.flags.c_contiguous
    assert np.abs(fed - expected).max() < 1e-5


def test_what_caffe_models_are_fed_can_be_said() -> None:
    tf = tensorflow.load()
    pixels = noise(4, 4).astype(np.float32)
    caffe = InputSpec(
        height=4, width=4, value_range=BYTES, mean=(123.68, 116.779, 103.939), channels="bgr"
    )
    expected = tf.keras.applications.imagenet_utils.preprocess_input(pixels.copy(), mode="caffe")
    assert np.abs(preprocess.values(pixels, caffe) - expected).max() < 1e-4
