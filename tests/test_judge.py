"""The judge of plans: every ending of a network, photos with labels and without, and none."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models, verdicts
from toolchain import tf as tensorflow
from toolchain.progress import Silent
from toolchain.quantize import (
    calibration,
    canonical,
    judge,
    planning,
    search,
    sensitivity,
    stage,
)
from toolchain.quantize.settings import QuantizeSettings
from toolchain.quantize.walk import Walk
from toolchain.records.card import Declared
from toolchain.records.verdict import Drop, Expected, ScoreChange
from toolchain.sources.saved_model import Fetched
from toolchain.tfjs import stage as tfjs
from toolchain.tfjs.transfer import brotli_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolchain.cache.store import Store

    Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.xdist_group("judge")

PHOTOS = 40
BITS = 4.5


class Hearing(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    warn = say


def converted(path: Path, store: Store, mark: str) -> tfjs.TfjsModel:
    declared = Declared(labels=tiny_models.names(), value_range=(0, 1))
    return tfjs.run(
        Fetched(path, mark * 64, "tiny", declared),
        quantization="none",
        shard_bytes=4 << 20,
        store=store,
        progress=Silent(),
    )


@pytest.fixture(scope="module")
def models(
    tmp_path_factory: pytest.TempPathFactory, session_store: Store
) -> Mapping[str, tfjs.TfjsModel]:
    """The same weights with each ending; logits are as large as a trained network's."""
    tf = tensorflow.load()
    kernel = tiny_models.weights(3, 3, 3, 48, seed=1)
    matrix = tf.Variable(6 * tiny_models.weights(48, 5, seed=2))
    # Of generated pictures every label comes first now and then.
    bias = tf.Variable([-9.4, -12.0, 6.5, -2.9, 10.5])
    endings = {
        "logits": tf.identity,
        "softmax": tf.nn.softmax,
        "averaged": lambda x: (tf.nn.softmax(x) + tf.nn.softmax(x)) / 2,
    }
    found = {}
    for mark, (name, ending) in zip("abc", endings.items(), strict=True):

        def call(image: Any, ending: Any = ending) -> Any:
            seen = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "VALID"))
            return {"scores": ending(tf.reduce_mean(seen, (1, 2)) @ matrix + bias)}

        path = tmp_path_factory.mktemp(name) / "model"
        tiny_models.save(path, call, {"image": tiny_models.IMAGE}, kernel, matrix, bias)
        found[name] = converted(path, session_store, mark)
    return found


def activation_of(name: str, model: tfjs.TfjsModel) -> Any:
    # Two heads' average are scores, whatever operation it ends with.
    return "none" if name == "averaged" else model.converted.artifacts.activation


def folder(root: Path, names: tuple[str, ...], count: int = PHOTOS) -> Path:
    """Write an ImageFolder of noise of many colours."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(count):
        kind = root / names[number % len(names)]
        kind.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, random.integers(2, 256, 3), (40, 44, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(kind / f"{number:02}.png")
    return root


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("photos") / "photos", tiny_models.names())


@pytest.fixture(scope="module")
def images(models: Mapping[str, tfjs.TfjsModel]) -> Array:
    spec = models["logits"].converted.card.input
    return calibration.generated(spec, count=24, seed=5)


# --- every ending ----------------------------------------------------------------------------


def test_a_softmax_or_an_average_of_them_changes_no_sensitivity(
    models: Mapping[str, tfjs.TfjsModel], images: Array
) -> None:
    felt = {}
    for name, model in models.items():
        read = canonical.read(model.folder, model.converted.artifacts.model_json)
        found = sensitivity.measure(
            read, images[:8], activation_of(name, model), seed=0, progress=Silent()
        )
        felt[name] = [found[layer.name] for layer in read.layers]
    assert len(felt["logits"]) == 2
    for name in ("softmax", "averaged"):
        for one, other in zip(felt["logits"], felt[name], strict=True):
            assert one.max() > 0
            assert other == pytest.approx(one, rel=1e-3)


def test_a_softmax_or_an_average_of_them_changes_no_verdict(
    models: Mapping[str, tfjs.TfjsModel],
) -> None:
    found = {}
    for name, model in models.items():
        artifacts = model.converted.artifacts.model_copy(
            update={"activation": activation_of(name, model)}
        )
        ended = replace(
            model, converted=model.converted.model_copy(update={"artifacts": artifacts})
        )
        prepared = planning.prepare(ended, QuantizeSettings("auto"), Silent())
        assert prepared.judge is not None
        found[name] = search.attempt(prepared, prepared.judge, BITS, Silent())
    exact = found["logits"].verdict.expected_drop
    assert exact is not None
    assert exact.points > 0.05  # there is something to be blind to
    for name in ("softmax", "averaged"):
        expected = found[name].verdict.expected_drop
        assert expected is not None
        # float32 scores hold a little less than the logits they were made of.
        assert expected.points == pytest.approx(exact.points, rel=0.1, abs=0.02)
        assert expected.high == pytest.approx(exact.high, rel=0.1)
        assert found[name].bytes == pytest.approx(found["logits"].bytes, rel=0.05)


def test_what_moves_all_labels_alike_is_felt_only_where_each_has_its_own_score(
    tmp_path: Path, session_store: Store, images: Array
) -> None:
    tf = tensorflow.load()
    kernel = tiny_models.weights(3, 3, 3, 8, seed=1)
    alike = tf.Variable(tf.repeat(tiny_models.weights(8, 1, seed=2), 5, axis=1))

    def call(image: Any) -> Any:
        seen = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "VALID"))
        return {"scores": tf.reduce_mean(seen, (1, 2)) @ alike}

    path = tiny_models.save(tmp_path / "model", call, {"image": tiny_models.IMAGE}, kernel, alike)
    model = converted(path, session_store, "d")
    read = canonical.read(model.folder, model.converted.artifacts.model_json)
    first = read.layers[0].name
    alone, together = (
        sensitivity.measure(read, images[:4], activation, seed=0, progress=Silent())[first].max()
        for activation in ("sigmoid", "softmax")
    )
    assert together < 1e-9 < alone


def test_labels_of_their_own_are_judged_by_the_change_of_all_scores(
    models: Mapping[str, tfjs.TfjsModel],
) -> None:
    model = models["logits"]
    artifacts = model.converted.artifacts.model_copy(update={"activation": "sigmoid"})
    ended = replace(model, converted=model.converted.model_copy(update={"artifacts": artifacts}))
    prepared = planning.prepare(ended, QuantizeSettings("auto"), Silent())
    assert prepared.judge is not None
    assert prepared.judge.multi_label
    fine, coarse = (search.attempt(prepared, prepared.judge, bits, Silent()) for bits in (7, 3))
    for candidate in (fine, coarse):
        change = candidate.verdict.score_change
        assert change is not None
        assert candidate.drop == change.high
        assert change.low < change.points < change.high
        assert candidate.verdict.expected_drop is None
    assert fine.drop < coarse.drop


# --- what decides ----------------------------------------------------------------------------

NOTHING = verdicts.empty(9)


@pytest.mark.parametrize(
    ("found", "drop"),
    [
        ({}, 0.9),  # nobody knows how well the scores are calibrated
        ({"drop": Drop(points=5.0, low=-2.0, high=9.0, lost=5, won=1)}, 0.4),
        ({"drop": Drop(points=5.0, low=2.0, high=9.0, lost=5, won=1)}, 2.0),
        ({"score_change": ScoreChange(points=0.2, low=0.1, high=0.3)}, 0.3),
    ],
)
def test_labels_calibrate_what_is_expected_and_prove_what_is_lost(
    found: dict[str, Any], drop: float
) -> None:
    verdict = NOTHING.model_copy(
        update={"expected_drop": Expected(points=0.4, low=0.1, high=0.9), **found}
    )
    assert judge.drop_of(verdict) == drop


def test_there_must_be_something_to_compare_with() -> None:
    with pytest.raises(ValueError, match="nothing to compare with"):
        judge.drop_of(NOTHING)


def test_errors_that_are_known_to_be_larger_or_smaller_than_seen_are_scaled(
    models: Mapping[str, tfjs.TfjsModel], photos: Path
) -> None:
    # These models have no BatchNorm that would tell of photos.
    blind = planning.prepare(models["logits"], QuantizeSettings("auto"), Silent()).judge
    assert blind is not None
    assert blind.magnified == 2.0
    assert blind.described == "256 generated pictures"
    options = QuantizeSettings("auto", calibration=photos)
    seeing = planning.prepare(models["logits"], options, Silent()).judge
    assert seeing is not None
    # The final plan is rounded by twice as many photos.
    assert seeing.magnified == pytest.approx(0.5**0.15)
    apart = replace(options, evaluation=photos.with_name("judged"))
    shutil.copytree(photos, photos.with_name("judged"))
    with_others = planning.prepare(models["logits"], apart, Silent()).judge
    assert with_others is not None
    assert with_others.magnified == 1.0


# --- photos ----------------------------------------------------------------------------------


def test_labels_of_calibration_photos_are_used_and_all_photos_rounded_by(
    models: Mapping[str, tfjs.TfjsModel], photos: Path, store: Store
) -> None:
    options = QuantizeSettings("auto", calibration=photos, max_drop=50.0)
    made = stage.run(models["logits"], options, store=store, progress=Silent())
    assert made.verdict is not None
    assert made.verdict.photos == PHOTOS // 2
    assert made.verdict.drop is not None
    assert made.verdict.top1 is not None
    assert made.verdict.expected_drop is not None
    assert made.plan.calibration == f"{PHOTOS} photos"
    assert made.plan.judged == (
        f"{PHOTOS // 2} photos and {256 - PHOTOS // 2} generated pictures, by a plan of the other "
        f"{PHOTOS // 2} photos"
    )


def test_folders_that_are_no_labels_are_photos_without_labels(
    models: Mapping[str, tfjs.TfjsModel], tmp_path: Path, store: Store
) -> None:
    strange = folder(tmp_path / "holiday", ("beach", "hills"))
    progress = Hearing()
    options = QuantizeSettings("auto", calibration=strange, max_drop=50.0)
    made = stage.run(models["logits"], options, store=store, progress=progress)
    assert made.verdict is not None
    assert made.verdict.drop is None
    assert made.verdict.agreement is not None
    assert made.verdict.agreement.of == PHOTOS // 2
    (said,) = (said for said in progress.said if "used without labels" in said)
    assert "beach, hills" in said


def test_a_recipe_is_rounded_by_all_photos_and_judged_by_those_held_out(
    models: Mapping[str, tfjs.TfjsModel], photos: Path, store: Store
) -> None:
    options = QuantizeSettings("mixed", calibration=photos)
    made = stage.run(models["logits"], options, store=store, progress=Silent())
    assert made.plan.calibration == f"{PHOTOS} photos"
    assert made.plan.judged == f"{PHOTOS // 2} photos, by a plan of the other {PHOTOS // 2} photos"
    assert made.verdict is not None
    assert made.verdict.photos == PHOTOS // 2


def test_the_plan_by_all_photos_keeps_the_limit_of_bytes_too(
    models: Mapping[str, tfjs.TfjsModel], photos: Path, store: Store
) -> None:
    for most in range(1700, 1760, 20):
        options = QuantizeSettings("auto", calibration=photos, max_drop=100.0, max_bytes=most)
        made = stage.run(models["logits"], options, store=store, progress=Silent()).model
        assert brotli_bytes(made.folder, made.converted.artifacts) <= most


# --- memory ----------------------------------------------------------------------------------


def test_a_walk_knows_the_most_that_it_held_and_lets_go_of_what_was_read(
    models: Mapping[str, tfjs.TfjsModel], images: Array
) -> None:
    model = models["logits"]
    read = canonical.read(model.folder, model.converted.artifacts.model_json)
    one, many = Walk(read, images[:1]), Walk(read, images)
    for walk in (one, many):
        walk.finish()
    # 15 × 15 outputs of 48 channels are the largest that is there at once.
    assert one.most_bytes == 4 * 15 * 15 * 48
    assert many.most_bytes == len(images) * one.most_bytes


def test_more_photos_than_there_is_room_for_are_said_to_be_left_out(
    models: Mapping[str, tfjs.TfjsModel], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = 4 * (15 * 15 * 48 + 32 * 32 * 3)
    monkeypatch.setattr(planning, "_ROOM", 30 * each)
    progress = Hearing()
    prepared = planning.prepare(
        models["logits"], QuantizeSettings("mixed", calibration=photos), progress
    )
    assert prepared.described == "15 photos"
    assert prepared.whole is not None
    assert prepared.whole()[1] == "30 photos"
    assert any(said.startswith("30 of the photos in") for said in progress.said)
