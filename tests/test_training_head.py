"""The last layer without a network: logistic regression, folds, groups, temperature, centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import tag_photos
from toolchain.errors import BadInputError
from toolchain.images import taken
from toolchain.training import (
    class_centres,
    cross_validation,
    folds,
    groups,
    logistic,
    photo_set,
    selection,
    temperature,
)

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.records.card import Task

    Array = np.ndarray[Any, Any]


def clouds(
    *, count: int = 40, tags: int = 4, width: int = 60, spread: float = 1.0, seed: int = 0
) -> tuple[Array, Array]:
    """Return features `[photos, width]` around a centre for each tag, and their tags."""
    random = np.random.default_rng(seed)
    centres = random.normal(0, 1, (tags, width))
    labels = np.repeat(np.arange(tags), count)
    rows = centres[labels] + random.normal(0, spread * 3, (len(labels), width))
    return rows.astype(np.float32), np.eye(tags, dtype=bool)[labels]


@pytest.mark.parametrize("width", [30, 300])
@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_the_layer_is_that_of_scikit_learn(width: int, strength: float) -> None:
    from sklearn.linear_model import LogisticRegression

    rows, truth = clouds(width=width, spread=1.5)
    fresh, _ = clouds(width=width, spread=1.5, seed=0)
    turned = logistic.rotate(rows)
    layer = logistic.fit(turned.values, truth, np.ones(len(rows)), strength, task="single-label")
    kernel, bias = turned.layer(layer[:-1], layer[-1])
    scale = np.linalg.norm(turned.axes[:, 0])
    judge = LogisticRegression(C=strength, max_iter=5000, tol=1e-8)
    judge.fit((rows - rows.mean(axis=0)) * scale, truth.argmax(axis=1))
    theirs = judge.decision_function((fresh - rows.mean(axis=0)) * scale)
    ours = fresh @ kernel + bias
    # Both are defined up to one number a photo.
    difference = (ours - ours.mean(1, keepdims=True)) - (theirs - theirs.mean(1, keepdims=True))
    assert np.abs(difference).max() < 5e-3 * np.abs(theirs).max()
    assert (ours.argmax(1) == theirs.argmax(1)).all()


def test_a_layer_for_tags_that_do_not_exclude_each_other_is_one_regression_for_each() -> None:
    from sklearn.linear_model import LogisticRegression

    rows, truth = clouds(tags=3)
    truth[:, 1] |= rows[:, 0] > 1
    turned = logistic.rotate(rows)
    layer = logistic.fit(turned.values, truth, np.ones(len(rows)), 0.3, task="multi-label")
    outputs = turned.values @ layer[:-1] + layer[-1]
    for tag in range(3):
        judge = LogisticRegression(C=0.3, max_iter=5000, tol=1e-8)
        judge.fit(turned.values, truth[:, tag])
        assert np.abs(outputs[:, tag] - judge.decision_function(turned.values)).max() < 5e-3


@pytest.mark.parametrize("count", [10, 200])
def test_a_rotation_keeps_all_distances(count: int) -> None:
    rows, _ = clouds(count=count, tags=2, width=50)
    turned = logistic.rotate(rows)
    scale = float(np.linalg.norm(turned.axes[:, 0]))
    between = np.linalg.norm((rows[0] - rows[1:]) * scale, axis=1)
    assert np.allclose(np.linalg.norm(turned.values[0] - turned.values[1:], axis=1), between, 1e-3)
    assert turned.values.shape[1] <= min(len(rows), 50)


def test_parts_of_other_scale_count_alike() -> None:
    rows, _ = clouds(width=40)
    large = np.concatenate([rows, rows * 100], axis=1)
    turned = logistic.rotate(large, split=(40, 40))
    assert np.allclose(turned.axes[:40] / turned.axes[40:], 100, rtol=1e-2)


def test_photos_of_weight_zero_are_not_learned_from() -> None:
    rows, truth = clouds()
    turned = logistic.rotate(rows)
    weights = np.ones(len(rows))
    weights[::3] = 0
    some = weights > 0
    whole = logistic.fit(turned.values, truth, weights, 1.0, task="single-label")
    alone = np.ones(int(some.sum()))
    few = logistic.fit(turned.values[some], truth[some], alone, 1.0, task="single-label")
    assert np.allclose(whole, few, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_in_one_fold_and_tags_are_divided_evenly(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups_of = np.sort(random.integers(0, 60, 400))
    groups_of = np.unique(groups_of, return_inverse=True)[1]
    truth = np.eye(3, dtype=bool)[random.integers(0, 3, 400)]
    found = folds.divide(truth, groups_of, seed=seed)
    for group in np.unique(groups_of):
        assert len(np.unique(found[groups_of == group])) == 1
    shares = np.array([truth[found == fold].sum(axis=0) for fold in range(5)])
    assert shares.min() > 0.5 * shares.mean()
    assert (np.bincount(found) > 60).all()


def test_single_photos_are_divided_as_evenly_as_can_be() -> None:
    truth = np.eye(2, dtype=bool)[np.repeat([0, 1], [50, 10])]
    found = folds.divide(truth, np.arange(60))
    assert [truth[found == fold].sum(axis=0).tolist() for fold in range(5)] == [[10, 2]] * 5


def test_a_tag_of_two_groups_allows_two_folds() -> None:
    truth = np.eye(2, dtype=bool)[np.repeat([0, 1], [50, 4])]
    groups_of = np.concatenate([np.arange(50), [50, 50, 51, 51]])
    assert folds.possible(truth, groups_of) == 2


def test_the_temperature_makes_scores_mean_what_they_say() -> None:
    random = np.random.default_rng(0)
    outputs = random.normal(0, 2, (4000, 5))
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    labels = [random.choice(5, p=row) for row in shares]
    truth = np.eye(5, dtype=bool)[labels]
    found = temperature.find(outputs * 3, truth, task="single-label")
    assert found == pytest.approx(3, rel=0.1)
    right = cross_validation.right(outputs, truth, task="single-label")
    assert temperature.calibration_error(shares.max(axis=1), right) < 4
    sharper = np.exp(3 * outputs) / np.exp(3 * outputs).sum(axis=1, keepdims=True)
    assert temperature.calibration_error(sharper.max(axis=1), right) > 10


def test_centres_tell_what_is_foreign_and_take_few_bytes() -> None:
    random = np.random.default_rng(1)
    width = 400
    centres = random.exponential(1, (10, width))
    labels = np.repeat(np.arange(10), 20)
    own = np.maximum(centres[labels] + random.normal(0, 0.4, (200, width)), 0).astype(np.float32)
    foreign = np.maximum(random.exponential(1, (200, width)), 0).astype(np.float32)
    truth = np.eye(10, dtype=bool)[labels]
    division = folds.divide(truth, np.arange(200))

    near = class_centres.out_of_fold(own, truth, division)
    least = class_centres.threshold(near, None)
    rule = class_centres.learn(own, truth, least)

    assert (near >= least).mean() == pytest.approx(0.95, abs=0.006)
    assert (rule.greatest_cosines(foreign) >= least).mean() < 0.02
    assert rule.vectors.size + 2 * len(rule.indices) <= 2000


def test_photos_of_none_raise_the_threshold_but_keep_most_own_photos() -> None:
    own = np.linspace(0.5, 1.0, 101)
    assert class_centres.threshold(own, None) == pytest.approx(0.525)
    assert class_centres.threshold(own, np.full(50, 0.53)) == pytest.approx(0.535, abs=0.006)
    assert class_centres.threshold(own, np.full(50, 0.9)) <= 0.55
    assert class_centres.threshold(own, np.full(50, 0.1)) == pytest.approx(0.525)


def taken_at(path: Path, time: str) -> None:
    with Image.open(path) as image:
        exif = Image.Exif()
        exif[0x0132] = time
        image.save(path, exif=exif)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return photos of two tags: the first four of each of one morning, the rest of a later one."""
    folder = tag_photos.folder(
        tmp_path / "photos", count=8, colours={"red": (200, 0, 0), "blue": (0, 0, 200)}
    )
    for tag in ("red", "blue"):
        for place, path in enumerate(sorted((folder / tag).iterdir())):
            taken_at(path, f"2026:05:0{1 + place // 4} 10:0{place}:00")
    return folder


def unlike(count: int) -> Array:
    """Return features of which no two are alike."""
    return np.eye(count, dtype=np.float32)


def test_photos_taken_together_are_one_group(photos: Path) -> None:
    found = groups.find(photo_set.read(photos), unlike(16), "auto")
    assert found.by == "exif"
    assert found.of.tolist() == [0, 0, 0, 0, 1, 1, 1, 1] * 2


def test_a_photo_tells_its_time(photos: Path, tmp_path: Path) -> None:
    assert str(taken.when(photos / "red" / "000.png")) == "2026-05-01 10:00:00"
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    assert taken.when(tmp_path / "no.jpg") is None


def test_the_first_word_of_names_tells_groups(tmp_path: Path) -> None:
    for tag in ("red", "blue"):
        for place, word in enumerate(["monday", "tuesday"]):
            name = f"{word}_{tag}_1.png"
            tag_photos.picture(tmp_path / tag / name, (0, 0, 0), 10 * len(tag) + place)
    found = groups.find(photo_set.read(tmp_path), unlike(4), "auto")
    assert found.by == "prefix"
    assert found.of.tolist() == [0, 1, 0, 1]


def test_names_that_only_repeat_the_tag_tell_no_groups(tmp_path: Path) -> None:
    for seed, tag in enumerate(("red", "blue")):
        for place in range(3):
            tag_photos.picture(tmp_path / tag / f"{tag}_{place}.png", (0, 0, 0), 10 * seed + place)
    photos = photo_set.read(tmp_path)
    found = groups.find(photos, unlike(6), "auto")
    assert (found.by, found.count) == ("none", 6)
    assert "all photos of blue are of one session" in found.reason
    with pytest.raises(BadInputError, match="all photos of blue are of one session; use"):
        groups.find(photos, unlike(6), "prefix")
    with pytest.raises(BadInputError, match="sessions cannot be told by the times in the photos"):
        groups.find(photos, unlike(6), "exif")


def test_near_duplicates_are_one_group_and_are_listed(tmp_path: Path) -> None:
    photos = photo_set.read(tag_photos.folder(tmp_path, count=4))
    rows = unlike(12)
    rows[1] = rows[0] + 0.1 * rows[1]
    found = groups.find(photos, rows, "auto")
    assert found.count == 11
    assert found.of[0] == found.of[1]
    digests = [str(number) for number in range(12)]
    assert groups.same(rows, digests) == [((0, 1), False)]
    digests[5] = digests[7]
    assert ((5, 7), True) in groups.same(rows, digests)


def test_a_chain_of_likeness_does_not_join_everything(tmp_path: Path) -> None:
    photos = photo_set.read(tag_photos.folder(tmp_path, count=20))
    angles = np.linspace(0, 3, 60)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert groups.find(photos, rows, "none").count > 10


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_out_of_fold_outputs_do_not_know_their_photo(task: Task) -> None:
    rows, truth = clouds(tags=2, count=30, width=200)
    truth = truth[np.random.default_rng(0).permutation(len(truth))]  # nothing to learn
    found = cross_validation.outputs(
        logistic.rotate(rows),
        truth,
        folds.divide(truth, np.arange(60)),
        task=task,
        strengths=(1.0,),
    )[0]
    right = cross_validation.right(found.outputs, truth, task=task)
    assert right.mean() < 0.7


def test_of_cuts_of_one_size_the_one_with_the_least_loss_is_taken() -> None:
    def compared(taps: tuple[int, ...], size: int, hits: int, loss: float) -> selection.Compared:
        return selection.Compared(
            cut=selection.Cut(0, taps),
            found=cross_validation.OutOfFold(np.zeros((100, 2)), 1.0),
            loss=loss,
            right=np.arange(100) < hits,
            parameters=2 * size,
            expected_bytes=size,
            width=8,
        )

    small = compared((1,), 1000, 80, 0.9)
    alone = compared((4,), 3000, 90, 0.5)
    beside = compared((1, 4), 3010, 89, 0.4)
    large = compared((6,), 5000, 90, 0.1)
    every = [small, alone, beside, large]
    assert selection.choose(every, max_drop=1.0, max_bytes=None) is beside
    assert selection.choose(every, max_drop=0.5, max_bytes=None) is alone
    assert selection.choose(every, max_drop=20.0, max_bytes=None) is small
    assert selection.choose(every, max_drop=1.0, max_bytes=2000) is small
