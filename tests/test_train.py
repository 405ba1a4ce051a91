"""`toolchain train`, from folders of small photos to a model that other commands take."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests import command_line, tag_photos
from toolchain import TrainOptions, digest
from toolchain import tf as tensorflow
from toolchain.cli.app import app
from toolchain.errors import BadInputError, ToolchainError
from toolchain.evaluation.stage import EvaluationOptions
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.pipeline.evaluate import evaluate
from toolchain.pipeline.train import train
from toolchain.progress import Silent
from toolchain.quantize import stage as quantization
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records import training
from toolchain.records.card import Declared
from toolchain.sources import resolve
from toolchain.sources.request import Request
from toolchain.sources.trained import read as read_trained

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.records.training import Training

SIDE = 32
RANGE = Declared(value_range=(0.0, 1.0))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small base network, a chain of depthwise and pointwise layers."""
    keras = tensorflow.load().keras
    keras.utils.set_random_seed(0)
    x = image = keras.Input((SIDE, SIDE, 3))
    for width in (12, 16, 24):
        x = keras.layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False)(x)
        x = keras.layers.Conv2D(width, 1, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(7)(x))
    path = tmp_path_factory.mktemp("base") / "base.keras"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of photos of three tags, and of none; do not change it."""
    return tag_photos.folder(tmp_path_factory.mktemp("tags") / "photos", count=12, none=6)


@pytest.fixture(scope="session")
def trained(base: Path, photos: Path, session_store: Store) -> tuple[Path, Training]:
    """Return a trained model and its record; do not change it."""
    out = photos.parent / "photos.model"
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE)
    return out, train(options, out, store=session_store, progress=Silent())


class Listening(Silent):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


class Counting(Silent):
    """Counts the photos whose features are computed."""

    def __init__(self) -> None:
        self.computed = 0

    def track(self, label: str, total: int | None = None, unit: Any = "steps") -> Any:
        if label == "Computing features":
            self.computed += total or 0
        return super().track(label, total, unit)


def scores_of(model: Path, path: Path) -> np.ndarray[Any, Any]:
    """Return the scores of a trained model for a picture, by TensorFlow alone."""
    from PIL import Image

    tf = tensorflow.load()
    loaded = tf.saved_model.load(str(model / "saved_model"))
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32)[2:-2, 2:-2]
    seen = tf.image.resize(pixels[None], (SIDE, SIDE), antialias=True) / 255
    outputs = loaded.signatures["serving_default"](image=seen)["scores"]
    found: np.ndarray[Any, Any] = outputs[0].numpy()
    return found


def test_it_learns_the_tags_and_says_how_well(trained: tuple[Path, Training]) -> None:
    out, record = trained
    assert record.tags == ("blue", "green", "red")
    assert record.out_of_fold.accuracy.value > 0.9
    assert record.out_of_fold.accuracy.low < record.out_of_fold.accuracy.value
    assert [sum(row) for row in record.out_of_fold.confusion] == [12, 12, 12]
    assert sum(each.chosen for each in record.candidates) == 1
    sizes = [each.expected_bytes for each in record.candidates]
    assert sizes == sorted(sizes)
    assert record.photos.none == 6
    assert record.none_of_these is not None
    assert record.none_of_these.kept.value == pytest.approx(0.95, abs=0.06)
    assert training.read(out / "training.json") == record


def test_a_network_that_tells_no_photo_from_another_gets_a_warning(
    photos: Path, tmp_path: Path, store: Store
) -> None:
    keras = tensorflow.load().keras
    keras.utils.set_random_seed(0)
    x = image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(12, 3, 2, activation="relu", bias_initializer="ones")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(image, keras.layers.Dense(7)(x)).save(tmp_path / "base.keras")
    options = TrainOptions(
        photos=photos,
        bases=(Request(str(tmp_path / "base.keras")),),
        declared=Declared(value_range=(0.0, 0.001)),
    )
    progress = Listening()
    with contextlib.suppress(ToolchainError):  # what was learned may not survive float32
        train(options, tmp_path / "out.model", store=store, progress=progress)
    (said,) = [each for each in progress.warnings if "differ by only 0." in each]
    assert "fed pixel values 0…0.001" in said
    assert said.endswith("--value-range")


def test_the_model_gives_scores_of_the_tags(trained: tuple[Path, Training], photos: Path) -> None:
    out, record = trained
    for place, tag in enumerate(record.tags):
        scores = scores_of(out, photos / tag / "003.png")
        assert scores.argmax() == place
        assert scores.sum() == pytest.approx(1, abs=1e-5)


def test_same_photos_and_seed_give_the_same_bytes(
    trained: tuple[Path, Training], base: Path, photos: Path, session_store: Store
) -> None:
    out, _ = trained
    again = photos.parent / "again.model"
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE)
    train(options, again, store=session_store, progress=Silent())
    assert digest.of_tree(again) == digest.of_tree(out)


def test_more_photos_cost_their_own_forward_passes_alone(
    base: Path, store: Store, tmp_path: Path
) -> None:
    photos = tag_photos.folder(tmp_path / "photos", count=5)
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE)
    first, second, third = Counting(), Counting(), Counting()
    train(options, tmp_path / "a.model", store=store, progress=first)
    tag_photos.folder(photos, count=2, first=50)
    train(options, tmp_path / "a.model", store=store, progress=second)
    train(options, tmp_path / "a.model", store=store, progress=third)
    assert (first.computed, second.computed, third.computed) == (15, 6, 0)


def test_an_interrupted_run_goes_on_where_it_was(
    base: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolchain.evaluation import batches
    from toolchain.training import features

    photos = tag_photos.folder(tmp_path / "photos", count=12)
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE)
    real, calls = batches.answer, list[Any]()

    def interrupted(batch: Any) -> Any:
        calls.append(batch)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(batch)

    monkeypatch.setattr(features, "answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(options, tmp_path / "a.model", store=store, progress=Silent())
    assert not (tmp_path / "a.model").exists()
    counting = Counting()
    train(options, tmp_path / "a.model", store=store, progress=counting)
    assert counting.computed == 36 - 16


def test_broken_photos_are_left_out_and_named(base: Path, store: Store, tmp_path: Path) -> None:
    photos = tag_photos.folder(tmp_path / "photos", count=5)
    (photos / "red" / "broken.jpg").write_bytes(b"no picture")
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE)
    record = train(options, tmp_path / "a.model", store=store, progress=Silent())
    assert (record.photos.photos, record.photos.broken) == (15, 1)
    assert record.photos.broken_photos == ("red/broken.jpg",)


def test_a_test_folder_is_judged_apart(
    base: Path, photos: Path, session_store: Store, tmp_path: Path
) -> None:
    test = tag_photos.folder(tmp_path / "test", count=4, first=500)
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE, test=test)
    record = train(options, tmp_path / "a.model", store=session_store, progress=Silent())
    assert record.test is not None
    assert record.test.photos == 12
    assert record.test.accuracy.value > 0.8
    assert read_trained(tmp_path / "a.model").tested == test.resolve()
    tag_photos.picture(test / "red" / "copy.png", tag_photos.COLOURS["red"], 0)
    with pytest.raises(BadInputError, match=r"1 photos of .* are also in .*, such as red/copy.png"):
        train(options, tmp_path / "a.model", store=session_store, progress=Silent())
    assert training.read(tmp_path / "a.model" / "training.json") == record


def test_a_planted_wrong_tag_is_suspected(base: Path, session_store: Store, tmp_path: Path) -> None:
    photos = tag_photos.folder(tmp_path / "photos", count=12)
    (photos / "red" / "003.png").rename(photos / "blue" / "wrong.png")
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE)
    record = train(options, tmp_path / "a.model", store=session_store, progress=Silent())
    assert record.suspects[0].photo == "blue/wrong.png"
    assert (record.suspects[0].tag, record.suspects[0].seems) == ("blue", "red")


def test_tags_that_do_not_exclude_each_other(
    base: Path, session_store: Store, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    rows = []
    for number in range(30):
        red, blue = number % 2, number // 2 % 2
        colour = (40 + 160 * red, 40, 40 + 160 * blue)
        tag_photos.picture(photos / f"{number:02}.png", colour, number)
        rows.append(f"{number:02}.png,{red},{blue}")
    (photos / "labels.csv").write_text("photo,red,blue\n" + "\n".join(rows))
    options = TrainOptions(
        photos=photos, bases=(Request(str(base)),), declared=RANGE, task="multi-label"
    )
    out = tmp_path / "a.model"
    record = train(options, out, store=session_store, progress=Silent())
    assert record.out_of_fold.accuracy.value > 0.8
    assert scores_of(out, photos / "03.png").min() > 0.5
    assert scores_of(out, photos / "00.png").max() < 0.5


def test_every_command_takes_the_model(
    trained: tuple[Path, Training], photos: Path, session_store: Store, tmp_path: Path
) -> None:
    out, record = trained
    fetched = resolve.fetch(Request(str(out)), store=session_store, progress=Silent())
    assert fetched.declared.labels == record.tags
    settings = QuantizeSettings("auto", max_drop=3)
    site = tmp_path / "site"
    report = build(
        BuildOptions(request=Request(str(out)), out=site, weights=settings),
        store=session_store,
        progress=Silent(),
    )
    assert report.plan is not None
    assert report.plan.calibration == "36 photos"
    assert report.card.none_of_these is not None
    found = evaluate(
        EvaluationOptions(Request(str(site)), photos), store=session_store, progress=Silent()
    )
    assert found.verdict.top1 is not None
    assert found.verdict.top1.value > 0.9
    assert found.none_of_these is not None


def test_changed_photos_are_refused_and_lost_ones_are_said(
    base: Path, session_store: Store, tmp_path: Path
) -> None:
    photos = tag_photos.folder(tmp_path / "photos", count=5)
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE)
    out = tmp_path / "a.model"
    train(options, out, store=session_store, progress=Silent())
    building = BuildOptions(
        request=Request(str(out)), out=tmp_path / "site", weights=QuantizeSettings("mixed")
    )
    tag_photos.folder(photos, count=1, first=70)
    with pytest.raises(BadInputError, match=r"have changed since .*a\.model was trained on them"):
        build(building, store=session_store, progress=Silent())
    photos.rename(tmp_path / "moved")
    report = build(building, store=session_store, progress=Silent())
    assert report.plan is not None
    assert "generated pictures" in report.plan.calibration


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"max_bytes": 9_000}, "the smallest cut is expected to take"),
        ({"depth": 40}, "no base network can be cut at block 40; --depth is one of"),
    ],
)
def test_limits_that_no_cut_meets_are_refused(
    base: Path,
    photos: Path,
    session_store: Store,
    tmp_path: Path,
    wrong: dict[str, Any],
    sentence: str,
) -> None:
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE, **wrong)
    with pytest.raises(BadInputError, match=sentence):
        train(options, tmp_path / "a.model", store=session_store, progress=Silent())
    assert not (tmp_path / "a.model").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--depth", "deep"], "--depth deep is not a block; write its number, or auto"),
        (["--task", "both"], "--task both is not known; it is one of single, multi"),
        (["--group-by", "day"], "--group-by day is not known; it is one of auto, exif, prefix"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    tag_photos.folder(tmp_path / "photos", count=5)
    result = CliRunner().invoke(app, ["train", "photos", *words])
    assert isinstance(result.exception, BadInputError)
    assert sentence in str(result.exception)
    assert not (tmp_path / "photos.model").exists()


def test_the_model_is_not_written_among_its_photos(photos: Path, store: Store) -> None:
    with pytest.raises(BadInputError, match="lies within the photos"):
        train(TrainOptions(photos=photos), photos / "inside", store=store, progress=Silent())
    assert not (photos / "inside").exists()


def test_the_command_prints_the_record(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tag_photos.folder(tmp_path / "photos", count=5)
    given = ("train", "photos", "--base", base, "--value-range", "0,1", "--json")
    result = command_line.run_here(capfd, *given)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["tags"] == ["blue", "green", "red"]
    assert json.loads((tmp_path / "photos.model" / "training.json").read_text()) == found


def test_a_preview_is_judged_by_its_own_outputs_out_of_fold(
    trained: tuple[Path, Training],
    base: Path,
    photos: Path,
    session_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = tmp_path / "small.model"
    options = TrainOptions(photos=photos, bases=(Request(str(base)),), declared=RANGE, depth=3)
    train(options, small, store=session_store, progress=Silent())
    asked: list[QuantizeSettings] = []
    run = quantization.run

    def listening(source: Any, options: QuantizeSettings, **rest: Any) -> Any:
        asked.append(options)
        return run(source, options, **rest)

    monkeypatch.setattr(quantization, "run", listening)
    weights = QuantizeSettings("int8", max_bytes=1_000_000)
    model, preview = Request(str(trained[0])), Request(str(small))
    build(
        BuildOptions(model, tmp_path / "site", weights, preview=preview),
        store=session_store,
        progress=Silent(),
    )
    assert [each.held_out for each in asked] == [
        folder / "out_of_fold.npz" for folder in (trained[0], small)
    ]
    assert {each.calibration for each in asked} == {photos}
    assert [each.max_bytes for each in asked] == [1_000_000, None]
