"""`train --fine-tune`, `--teacher`, `--prune`: what wins is kept, the rest leaves no trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests import tag_photos
from tests.test_train import scores_of
from toolchain import TrainOptions, digest
from toolchain import tf as tensorflow
from toolchain.cli.app import app
from toolchain.errors import BadInputError
from toolchain.images import augmentation
from toolchain.metrics.intervals import newcombe
from toolchain.pipeline.train import train
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources.request import Request
from toolchain.training import attempts, channel_pruning, selection, tail_fitting, views
from toolchain.training.backbone import Backbone
from toolchain.training.distillation import Teacher
from toolchain.training.features import Extraction
from toolchain.training.learned import with_layer
from toolchain.training.photo_set import Photo, PhotoSet

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.records.training import Training

    Array = np.ndarray[Any, Any]

SIDE = 32
RANGE = Declared(value_range=(0.0, 1.0))
# Near each other, so that not every depth tells them.
COLOURS = {"brown": (120, 90, 60), "grey": (105, 95, 80), "olive": (110, 105, 60)}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small network of inverted residual blocks, with random weights."""
    keras = tensorflow.load().keras
    layers = keras.layers
    keras.utils.set_random_seed(1)
    x = image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, 2, padding="same")(x)
    for width in (8, 8, 16, 16, 16):
        before = x
        x = layers.Conv2D(32, 1, activation="relu6")(x)
        x = layers.DepthwiseConv2D(3, 1, padding="same", activation="relu6")(x)
        x = layers.Conv2D(width, 1)(x)
        if before.shape[-1] == width:
            x = layers.Add()([before, x])
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(7)(x))
    path = tmp_path_factory.mktemp("base") / "base.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def options(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    """Return options to train in this process, so that a test can change constants."""
    photos = tag_photos.folder(
        tmp_path_factory.mktemp("tags") / "photos", count=3, colours=COLOURS, none=2
    )
    return TrainOptions(
        photos=photos,
        bases=(Request(str(base)),),
        declared=RANGE,
        extraction=Extraction(workers=1),
    )


@pytest.fixture(scope="module")
def plain(options: TrainOptions, session_store: Store) -> tuple[Path, Training]:
    """Return the model without any attempt."""
    out = options.photos.parent / "plain.model"
    return out, train(options, out, store=session_store, progress=Silent())


def test_what_does_not_win_leaves_the_bytes_as_they_were(
    options: TrainOptions, plain: tuple[Path, Training], session_store: Store, tmp_path: Path
) -> None:
    # With so few photos no gain is beyond chance.
    record = train(
        replace(options, fine_tune=True, teacher=options.bases[0]),
        tmp_path / "model",
        store=session_store,
        progress=Silent(),
    )
    assert [each.method for each in record.attempts] == ["fine-tune", "distil"]
    assert not any(each.accepted for each in record.attempts)
    for each in record.attempts:
        assert each.gain_low <= each.gain_points <= each.gain_high
        assert each.bytes_before == each.bytes_after
    assert digest.of_tree(tmp_path / "model" / "saved_model") == digest.of_tree(
        plain[0] / "saved_model"
    )
    assert record.out_of_fold == plain[1].out_of_fold


def test_what_wins_is_what_is_written(
    options: TrainOptions,
    plain: tuple[Path, Training],
    session_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = attempts.judge

    def accept(*given: Any, **named: Any) -> Any:
        return judge(*given, **named).model_copy(update={"accepted": True})

    monkeypatch.setattr(attempts, "judge", accept)
    monkeypatch.setattr(tail_fitting, "_RATE", 3e-3)
    asked = replace(options, fine_tune=True)
    digests = []
    for name in ("first", "second"):
        out = tmp_path / name
        record = train(asked, out, store=session_store, progress=Silent())
        digests.append(digest.of_tree(out / "saved_model"))
    assert digests[0] == digests[1] != digest.of_tree(plain[0] / "saved_model")
    (attempt,) = record.attempts
    assert attempt.accepted
    assert record.out_of_fold.accuracy.hits == attempt.after.hits
    # Photos that it has learned from, by the SavedModel itself.
    right = [
        record.tags[scores_of(out, path).argmax()] == path.parent.name
        for tag in COLOURS
        for path in sorted((options.photos / tag).iterdir())
    ]
    assert np.mean(right) > plain[1].out_of_fold.accuracy.value


def weights_of(model: Path) -> int:
    """Return the number of weights in a SavedModel's kernels."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    content = SavedModel.FromString((model / "saved_model.pb").read_bytes())
    total = 0
    for node in content.meta_graphs[0].graph_def.node:
        if node.op == "Const":
            sides = [side.size for side in node.attr["value"].tensor.tensor_shape.dim]
            total += int(np.prod(sides)) if len(sides) > 1 else 0
    return total


@pytest.mark.parametrize("max_bytes", [None, 1_900])
def test_pruning_keeps_to_what_was_asked_for(
    max_bytes: int | None,
    options: TrainOptions,
    session_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of this small network the files' other content would be nearly all.
    monkeypatch.setattr(selection, "_REST", 900)
    # No cut is as good as what is pruned, so that it depends on the bytes alone.
    monkeypatch.setattr(channel_pruning, "rival", lambda *_: None)
    asked = replace(options, prune=True, depth=6, max_drop=100.0)
    if max_bytes is not None:
        asked = replace(asked, depth=None, max_drop=0.0, max_bytes=max_bytes)
    record = train(asked, tmp_path / "model", store=session_store, progress=Silent())
    (attempt,) = record.attempts
    assert attempt.method == "prune"
    assert "left out" in attempt.detail
    if max_bytes is not None:
        assert attempt.bytes_after <= max_bytes
        assert attempt.accepted == (attempt.gain_low > 0)
    else:
        assert attempt.accepted
        assert attempt.bytes_after < 0.9 * attempt.bytes_before
    if attempt.accepted:
        assert record.out_of_fold.accuracy.hits == attempt.after.hits
        weights = weights_of(tmp_path / "model" / "saved_model")
        assert selection.expected_bytes(weights) == attempt.bytes_after


@pytest.mark.parametrize(
    ("first", "second", "accepted"), [(30, 0, True), (12, 10, False), (0, 30, False)]
)
def test_a_gain_counts_if_its_interval_is_above_zero(
    first: int, second: int, accepted: bool
) -> None:
    before = np.array([True] * 50 + [False] * 30 + [True] * second + [False] * first)
    after = np.array([True] * 50 + [False] * 30 + [False] * second + [True] * first)
    attempt = attempts.judge(
        "fine-tune", "it learned", before, after, (10, 9), 1.0, rival="nothing"
    )
    low, high = newcombe(50, first, second, 30)
    assert (attempt.gain_low, attempt.gain_high) == (100 * low, 100 * high)
    assert attempt.accepted == accepted == (low > 0)
    assert ("chance" in attempt.reason) == (first - second > 0 and not accepted)


def test_a_teacher_has_not_learned_from_the_photo_it_speaks_of() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    rows = (np.eye(8)[labels] * 3 + random.normal(0, 0.3, (60, 8))).astype(np.float32)
    wrong = labels.copy()
    wrong[5] = 2  # looks like tag 0
    truth = np.eye(3, dtype=bool)[wrong]
    photos = PhotoSet(
        folder=Path(),
        tags=("a", "b", "c"),
        photos=(),
        truth=truth,
        task="single-label",
    )
    tap = type("Tap", (), {"width": 8, "parameters": 1})()
    base = Backbone("", "", "", "", None, None, (tap,), None)  # type: ignore[arg-type]
    folds = np.arange(60) % 5
    learned = with_layer(base, (0,), rows, photos, folds, 1.0)
    seen = np.repeat(rows[:, None], 2, axis=1)
    said = Teacher(learned).say(seen, photos, folds, np.flatnonzero(folds != 1))
    assert said.shape == (60, 2, 3)
    np.testing.assert_allclose(said.sum(axis=-1), 1, atol=1e-5)
    assert said[5].argmax(axis=-1).tolist() == [0, 0]
    others = np.arange(60) != 5
    assert (said[others, 0].argmax(axis=-1) == labels[others]).all()


def test_views_belong_to_the_photo_alone() -> None:
    photos = [Photo(path=None, name="", sha256=digest.of_bytes(bytes([n]))) for n in range(3)]  # type: ignore[arg-type]
    drawn = [views.draw(photo, 6, 0) for photo in photos]
    assert drawn == [views.draw(photo, 6, 0) for photo in photos]
    assert len({each[0] for each in drawn}) == 3
    assert drawn[0] != views.draw(photos[0], 6, 1)
    assert drawn[0][:2] == views.draw(photos[0], 2, 0)


@pytest.mark.parametrize("size", [(40, 90), (90, 40), (8, 8), (9, 200)])
@pytest.mark.parametrize("is_strong", [False, True])
def test_a_view_is_a_part_of_the_photo(size: tuple[int, int], is_strong: bool) -> None:
    random = np.random.default_rng(0)
    height, width = size
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    pixels = np.concatenate([pixels, np.full((*size, 1), 255)], axis=-1).astype(np.float32)
    for _ in range(50):
        view = augmentation.draw(random, is_strong=is_strong)
        part = augmentation.crop(pixels, view, 1.0)
        columns, rows = part[0, :, 0], part[:, 0, 1]
        assert (np.diff(columns) == (-1 if view.is_mirrored else 1)).all()
        assert (np.diff(rows) == 1).all()
        assert min(part.shape[:2]) >= min(8, *size)
        colours = augmentation.recolour(part, view)
        assert colours.dtype == np.float32
        assert colours.min() >= 0
        assert colours.max() <= 255


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--student", "a"], "--student a has nobody to learn from; name one with --teacher"),
        (["--student", "a", "--base", "b", "--teacher", "c"], "--student and --base name the same"),
    ],
)
def test_words_that_contradict_each_other_are_refused(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["train", "photos", *words])
    assert isinstance(result.exception, BadInputError)
    assert said in str(result.exception)
