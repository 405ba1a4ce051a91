"""`evaluate` with photos whose labels a CSV tells, of models that give one label and of others."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models
from toolchain import cli
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.evaluation.stage import EvaluationOptions
from toolchain.graph import preprocess
from toolchain.metrics import multi_label
from toolchain.photos import photo_folder
from toolchain.pipeline.evaluate import evaluate
from toolchain.progress import Silent
from toolchain.records.card import Declared, InputSpec
from toolchain.records.evaluation import Evaluation
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

    Array = np.ndarray[Any, Any]

COUNT = 12
NAMES = tiny_models.names()


pytestmark = pytest.mark.xdist_group("evaluation-labels")


@pytest.fixture(scope="module")
def sigmoid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.saved_model(tmp_path_factory.mktemp("several") / "m", ending="sigmoid")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from PIL import Image

    made = tmp_path / "photos"
    made.mkdir()
    random = np.random.default_rng(0)
    for number in range(COUNT):
        pixels = random.integers(0, random.integers(2, 256, 3), (40, 44, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(made / f"{number:02}.png")
    return made


@pytest.fixture
def options(sigmoid: Path, folder: Path) -> EvaluationOptions:
    """Return a model of several labels, and photos of which nothing is told yet."""
    return EvaluationOptions(
        Request(str(sigmoid), lockfile=folder.with_name("lock.json")),
        folder,
        declared=Declared(labels=NAMES, value_range=(0.0, 1.0), task="multi-label", threshold=0.4),
        workers=1,
    )


def tell(folder: Path, seed: int = 4) -> Array:
    """Write labels of every photo by chance, and return them, bool `[photos, labels]`."""
    truth: Array = np.random.default_rng(seed).random((COUNT, len(NAMES))) < 0.4
    lines = [
        f"{number:02}.png,{';'.join(np.array(NAMES)[row])}\n" for number, row in enumerate(truth)
    ]
    (folder / photo_folder.LABELS).write_text("".join(lines), "utf-8")
    return truth


def scores_of(model: Path, folder: Path) -> Array:
    """Return what TensorFlow answers to the photos."""
    tf = tensorflow.load()
    loaded = tf.saved_model.load(str(model))
    spec = InputSpec(height=tiny_models.SIDE, width=tiny_models.SIDE, value_range=(0.0, 1.0))
    call = loaded.signatures["serving_default"]
    rows = [
        call(image=tf.constant(preprocess.load(path, spec)[None]))["scores"].numpy()[0]
        for path in sorted(folder.glob("*.png"))
    ]
    return np.array(rows, np.float64)


def test_labels_that_a_file_tells_are_looked_for(
    options: EvaluationOptions, folder: Path, sigmoid: Path, store: Store
) -> None:
    truth = tell(folder)
    found = evaluate(options, store=store, progress=Silent())
    wanted = multi_label.judge(scores_of(sigmoid, folder), truth, threshold=0.4)
    assert found.multi_label is not None
    assert found.multi_label.photos == COUNT
    assert found.multi_label.positives == wanted.positives
    for name in ("mean_average_precision", "f1_micro", "f1_macro"):
        figure, by_hand = getattr(found.multi_label, name), getattr(wanted, name)
        assert figure.value == pytest.approx(by_hand.value, abs=1e-4)
        assert figure.low == pytest.approx(by_hand.low, abs=1e-3)
    assert found.verdict.top1 is None
    assert found.verdict.top5 is None
    assert Evaluation.model_validate_json(found.model_dump_json()) == found


def test_a_reference_says_what_was_lost(
    options: EvaluationOptions, folder: Path, store: Store, tmp_path: Path
) -> None:
    tell(folder)
    other = tiny_models.saved_model(tmp_path / "other", width=6, ending="sigmoid")
    # A sidecar says of the reference what the options say of the model.
    (tmp_path / "other.toml").write_text("task = 'multi-label'\nvalue_range = [0, 1]\n", "utf-8")
    against = replace(
        options, reference=Request(str(other), lockfile=folder.with_name("lock.json"))
    )
    figure = evaluate(against, store=store, progress=Silent()).multi_label
    assert figure is not None
    own = figure.mean_average_precision
    assert own.reference is not None
    assert own.drop is not None
    assert own.drop.points == pytest.approx(100 * (own.reference - own.value), abs=1e-3)
    assert own.drop.low < own.drop.points < own.drop.high


def test_photos_that_are_left_out_or_broken_take_their_labels_with_them(
    options: EvaluationOptions, folder: Path, sigmoid: Path, store: Store
) -> None:
    truth = tell(folder)
    (folder / "04.png").write_bytes(b"no picture")
    kept = [0, 2, 6, 8, 10]  # of every second photo
    found = evaluate(replace(options, limit=6), store=store, progress=Silent())
    (folder / "04.png").unlink()
    at = [0, 2, 5, 7, 9]  # of the files that are left
    wanted = multi_label.judge(scores_of(sigmoid, folder)[at], truth[kept], threshold=0.4)
    assert found.broken == 1
    assert found.multi_label is not None
    assert found.multi_label.positives == truth[kept].sum()
    assert found.multi_label.f1_micro.value == pytest.approx(wanted.f1_micro.value, abs=1e-4)


def test_a_file_elsewhere_and_class_folders_tell_labels_too(
    options: EvaluationOptions, folder: Path, store: Store, tmp_path: Path
) -> None:
    tell(folder)
    beside = evaluate(options, store=store, progress=Silent())
    elsewhere = (folder / photo_folder.LABELS).rename(tmp_path / "truth.csv")
    found = evaluate(replace(options, photo_labels=elsewhere), store=store, progress=Silent())
    assert found == beside
    for number in range(COUNT):
        kind = folder / NAMES[number % 3]
        kind.mkdir(exist_ok=True)
        (folder / f"{number:02}.png").rename(kind / f"{number:02}.png")
    found = evaluate(options, store=store, progress=Silent())
    assert found.multi_label is not None
    assert (found.multi_label.labels, found.multi_label.positives) == (3, COUNT)


def test_a_model_of_one_label_a_photo_is_judged_by_the_same_file(
    options: EvaluationOptions, folder: Path, store: Store
) -> None:
    single = replace(
        options, declared=Declared(labels=NAMES, value_range=(0.0, 1.0), task="single-label")
    )
    lines = [f"{number:02},{NAMES[number % len(NAMES)]}\n" for number in range(COUNT)]
    (folder / photo_folder.LABELS).write_text("".join(lines), "utf-8")
    found = evaluate(single, store=store, progress=Silent())
    assert found.multi_label is None
    assert found.verdict.top1 is not None
    for number in range(COUNT):
        kind = folder / NAMES[number % len(NAMES)]
        kind.mkdir(exist_ok=True)
        (folder / f"{number:02}.png").rename(kind / f"{number:02}.png")
    (folder / photo_folder.LABELS).unlink()
    assert evaluate(single, store=store, progress=Silent()).verdict == found.verdict
    tell(folder)
    with pytest.raises(
        BadInputError, match=r"has \d labels, but this model gives a photo one label"
    ):
        evaluate(single, store=store, progress=Silent())


def test_photos_without_any_label_judge_nothing(
    options: EvaluationOptions, folder: Path, store: Store
) -> None:
    with pytest.raises(BadInputError, match="or give --photo-labels or --reference"):
        evaluate(options, store=store, progress=Silent())
    lines = [f"{number:02}.png,\n" for number in range(COUNT)]
    (folder / photo_folder.LABELS).write_text("".join(lines), "utf-8")
    with pytest.raises(BadInputError, match="none of the 12 photos has a label"):
        evaluate(options, store=store, progress=Silent())


def test_the_command_prints_the_figures(
    folder: Path,
    sigmoid: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def run(*more: str | Path) -> tuple[int, str, str]:
        words = (
            *("toolchain", "evaluate", sigmoid, folder, "--labels", folder.with_name("labels.txt")),
            *("--value-range", "0,1", "--task", "multi-label", "--threshold", "0.4"),
            *("--workers", "1", "--lock-file", folder.with_name("lock.json"), *more),
        )
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0), *capfd.readouterr()

    tell(folder)
    folder.with_name("labels.txt").write_text("\n".join(NAMES), "utf-8")
    code, out, err = run()
    assert code == 0, err
    for row in ("mAP of 5 labels", "F1 from 0.4 on, micro", "F1 from 0.4 on, macro"):
        assert row in out
    code, out, _ = run("--json")
    assert code == 0
    assert json.loads(out)["multi_label"]["threshold"] == 0.4
    code, _, err = run("--photo-labels", folder / "none.csv")
    assert code == 2
    assert "none.csv cannot be read as text" in err
