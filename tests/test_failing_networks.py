"""Networks that are whole and fail when they are run: one sentence that names the user's model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import command_line, tiny_models
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.evaluation.batches import Batch, Network, answer
from toolchain.graph import faults
from toolchain.progress import Silent
from toolchain.quantize import stage as compression
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared, InputSpec
from toolchain.sources import local
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store

SPEC = InputSpec(height=tiny_models.SIDE, width=tiny_models.SIDE, value_range=(0, 1))


def assertion(tf: Any, scores: Any) -> Any:
    low = tf.reduce_max(tf.abs(scores)) < -1.0
    with tf.control_dependencies([tf.debugging.Assert(low, ["far too bright"])]):
        return tf.identity(scores)


def gather(tf: Any, scores: Any) -> Any:
    place = tf.cast(tf.reduce_max(tf.abs(scores)), tf.int32) + 77
    return scores + tf.gather(scores, tf.reshape(place, (1,)), axis=1)


def reshape(tf: Any, scores: Any) -> Any:
    return tf.reshape(scores, tf.stack([tf.shape(scores)[0], 77]))[:, : tiny_models.CLASSES]


def numerics(tf: Any, scores: Any) -> Any:
    return tf.debugging.check_numerics(tf.math.log(-tf.square(scores) - 1.0), "no such logarithm")


# How the network fails, and what TensorFlow says of it.
FAILURES: list[tuple[Callable[[Any, Any], Any], str]] = [
    (assertion, "assertion failed: [far too bright]"),
    (gather, "77 is not in [0, 5)"),
    (reshape, "Input to reshape is a tensor with 5 values, but the requested shape has 77"),
    (numerics, "no such logarithm : Tensor had NaN values"),
]


def failing(folder: Path, fail: Callable[[Any, Any], Any]) -> Path:
    """Write a SavedModel of a convolution and a matrix product that fails behind them."""
    tf = tensorflow.load()
    kernel = tiny_models.weights(3, 3, 3, 4, seed=1)
    matrix = tiny_models.weights(4, tiny_models.CLASSES, seed=2)

    def call(image: Any) -> Any:
        seen = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "VALID"))
        return {"scores": fail(tf, tf.reduce_mean(seen, (1, 2)) @ matrix)}

    return tiny_models.save(folder, call, {"image": tiny_models.IMAGE}, kernel, matrix)


def failing_on_white(folder: Path) -> Path:
    """Write a SavedModel that fails on white photos alone, so that it can be converted."""
    tf = tensorflow.load()
    kernel = tiny_models.weights(3, 3, 3, 4, seed=1)
    matrix = tiny_models.weights(4, tiny_models.CLASSES, seed=2)

    def call(image: Any) -> Any:
        seen = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "VALID"))
        scores = tf.reduce_mean(seen, (1, 2)) @ matrix
        place = tf.where(tf.abs(tf.reduce_mean(image) - 1.0) < 0.02, 77, 0)
        return {"scores": scores + tf.gather(scores, tf.reshape(place, (1,)), axis=1)}

    return tiny_models.save(folder, call, {"image": tiny_models.IMAGE}, kernel, matrix)


def photos(folder: Path) -> Path:
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    return folder


def assert_is_the_users(error: BadInputError, name: str, said: str, store: Store) -> None:
    sentence = str(error)
    assert sentence.startswith(f"{name} cannot be run: TensorFlow says ")
    assert said in sentence
    assert "fix the model and save it again" in sentence
    assert error.exit_code == 2
    assert "\n" not in sentence
    assert str(store.root) not in sentence


@pytest.mark.parametrize(("fail", "said"), FAILURES)
def test_a_network_that_fails_on_a_photo_is_named(
    tmp_path: Path, store: Store, fail: Callable[[Any, Any], Any], said: str
) -> None:
    path = failing(tmp_path / "mine", fail)
    fetched = local.fetch(path, store=store, progress=Silent())
    network = Network(fetched.path, None, fetched.sha256, SPEC, fetched.source)
    photo = photos(tmp_path / "photos") / "a.png"
    with pytest.raises(BadInputError) as raised:
        answer(Batch((network,), (photo,)))
    assert_is_the_users(raised.value, "mine", said, store)


@pytest.mark.parametrize(("fail", "said"), FAILURES)
def test_a_network_that_fails_on_every_picture_is_refused_when_it_is_converted(
    tmp_path: Path, store: Store, fail: Callable[[Any, Any], Any], said: str
) -> None:
    fetched = local.fetch(failing(tmp_path / "mine", fail), store=store, progress=Silent())
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    with pytest.raises(BadInputError) as raised:
        tfjs.run(
            replace(fetched, declared=declared.over(fetched.declared)),
            quantization="none",
            shard_bytes=4 << 20,
            store=store,
            progress=Silent(),
        )
    assert_is_the_users(raised.value, "mine", said, store)


def test_an_index_out_of_range_is_named_while_weights_are_rounded_and_in_a_site(
    tmp_path: Path, store: Store
) -> None:
    path = failing_on_white(tmp_path / "mine")
    white = tmp_path / "photos"
    white.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 40), "white").save(white / name)
    fetched = local.fetch(path, store=store, progress=Silent())
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    model = tfjs.run(
        replace(fetched, declared=declared.over(fetched.declared)),
        quantization="none",
        shard_bytes=4 << 20,
        store=store,
        progress=Silent(),
    )
    by_white = QuantizeSettings(recipe="mixed", calibration=white)
    with pytest.raises(BadInputError) as raised:
        compression.run(model, by_white, store=store, progress=Silent())
    assert_is_the_users(raised.value, "mine", "77 is not in [0, 5)", store)
    artifacts = model.converted.artifacts
    network = Network(model.folder, artifacts.model_json, fetched.sha256, SPEC, "site")
    with pytest.raises(BadInputError) as raised:
        answer(Batch((network,), (white / "a.png",)))
    assert_is_the_users(raised.value, "site", "77 is not in [0, 5)", store)


def test_the_command_line_calls_it_no_unforeseen_thing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = failing(tmp_path / "mine", gather)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    folder = photos(tmp_path / "photos")
    done = command_line.run_here(
        capfd,
        *("evaluate", path, folder, "--labels", labels, "--value-range", "0,1"),
        *("--reference", path),
    )
    assert done.returncode == 2
    assert "toolchain: mine cannot be run: TensorFlow says" in done.stderr
    assert "unexpected error" not in done.stderr


def test_only_what_tensorflow_raises_is_blamed_on_the_model() -> None:
    tf = tensorflow.load()
    with (
        pytest.raises(BadInputError, match=r"^mine cannot be frozen: TensorFlow says 'a place'"),
        faults.of_model("mine", "frozen"),
    ):
        raise tf.errors.NotFoundError(None, None, "a place")
    with (
        pytest.raises(BadInputError, match="mine cannot be run: TensorFlow says"),
        faults.of_model("mine"),
    ):
        tf.reshape(tf.zeros((2, 3)), "x")  # one of Python's own kinds of error
    with pytest.raises(ZeroDivisionError), faults.of_model("mine"):
        raise ZeroDivisionError
    with pytest.raises(BadInputError, match=r"^as it was$"), faults.of_model("mine"):
        raise BadInputError("as it was")


def test_of_a_long_error_the_line_that_says_it_is_taken() -> None:
    error = ValueError(
        "Graph execution error:\n\nDetected at node a/b defined at (most recent call last):\n"
        '  File "/home/me/train.py", line 3, in call\n<stack traces unavailable>\n'
        "indices[0] = 7 is not in [0, 3).\n\t [[{{node a/b}}]] [Op:__inference_1]"
    )
    assert faults.first_line(error) == "indices[0] = 7 is not in [0, 3)"
    assert faults.first_line(ValueError("")) == "ValueError"
    assert len(faults.first_line(ValueError("x" * 999))) == 300
