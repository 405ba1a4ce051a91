"""Signatures, outputs and layouts of all kinds: each is fed a photo as it wants it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph import classifier, layout, signature
from toolchain.graph.running import function_of
from toolchain.records.card import Declared
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from pathlib import Path

SIDE = tiny_models.SIDE
DECLARED = Declared(labels=tiny_models.names(), value_range=(0.0, 255.0))


def of_layout(
    folder: Path, shape: tuple[int | None, ...], *, dtype: str = "float32", inner: str = "NHWC"
) -> Path:
    """Write a classifier that takes images of a shape, and turns them itself."""
    tf = tensorflow.load()
    sides = layout.of(list(shape))
    assert sides is not None
    kernel = tiny_models.weights(3, 3, 1 if sides.layout.is_grey else 3, 4, seed=1)
    matrix = tiny_models.weights(4, 5, seed=2)

    def call(image: Any) -> Any:
        pixels = tf.cast(image, tf.float32) / 255
        if sides.layout.is_channels_first and inner == "NHWC":
            pixels = tf.transpose(pixels, (0, 2, 3, 1))
        seen = tf.nn.relu(tf.nn.conv2d(pixels, kernel, 2, "VALID", data_format=inner))
        axes = (1, 2) if inner == "NHWC" else (2, 3)
        return {"scores": 20 * tf.reduce_mean(seen, axes) @ matrix}

    return tiny_models.save(folder, call, {"image": shape}, kernel, matrix, dtype=dtype)


def read(folder: Path, declared: Declared = DECLARED) -> classifier.Classifier:
    return classifier.read(Fetched(folder, "0" * 64, "mine", declared))


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((None, SIDE, SIDE, 3), "uint8", None),
        ((None, SIDE, SIDE, 1), "float32", "made grey"),
        ((None, SIDE, SIDE, 1), "uint8", "made grey"),
        ((None, 3, SIDE, SIDE), "float32", "turned to channels first"),
        ((1, 1, SIDE, SIDE), "float32", "made grey .*, turned to channels first"),
    ],
    ids=["bytes", "grey", "grey bytes", "channels first", "both"],
)
def test_a_photo_is_fed_as_the_network_takes_it(
    tmp_path: Path, shape: tuple[int | None, ...], dtype: str, said: str | None
) -> None:
    tf = tensorflow.load()
    found = read(of_layout(tmp_path / "model", shape, dtype=dtype))
    photo = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3)).astype(np.float32)
    # By TensorFlow's own functions, not by the code under test.
    sides = layout.of(list(shape))
    assert sides is not None
    fed = tf.image.rgb_to_grayscale(photo) if sides.layout.is_grey else tf.constant(photo)
    fed = tf.transpose(fed, (2, 0, 1)) if sides.layout.is_channels_first else fed
    fed = fed[None]
    fed = tf.cast(tf.round(fed), tf.uint8) if dtype == "uint8" else fed
    expected = found.loaded.signatures["serving_default"](image=fed)["scores"].numpy()
    assert np.ptp(expected) > 0.01
    run = function_of(found.source.graph_def, found.source.input, found.source.output)
    np.testing.assert_allclose(run(photo[None]), expected, atol=1e-3)
    called = classifier.call(found.loaded, found.signature, photo[None])
    np.testing.assert_allclose(called, expected, atol=1e-3)
    sentences = " ".join(found.assumptions)
    if said is None:
        assert "its graph is extended" not in sentences
    else:
        assert re.search(f"its graph is extended: photos are .*{said}", sentences)


@pytest.mark.parametrize(
    "said",
    [{"channels": "bgr"}, {"mean": (0.5, 0.4, 0.4)}, {"std": (0.2, 0.2, 0.3)}],
    ids=["order", "mean", "deviation"],
)
def test_grey_has_no_order_of_colours(tmp_path: Path, said: dict[str, Any]) -> None:
    folder = of_layout(tmp_path / "model", (None, SIDE, SIDE, 1))
    with pytest.raises(BadInputError, match=r"mine takes grey images.*three equal numbers"):
        read(folder, DECLARED.model_copy(update=said))
    equal = DECLARED.model_copy(update={"mean": (0.5, 0.5, 0.5)})
    assert read(folder, equal).card.input.mean == (0.5, 0.5, 0.5)


def test_convolutions_with_channels_first_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = of_layout(tmp_path / "model", (None, 3, SIDE, SIDE), inner="NCHW")
    with pytest.raises(BadInputError, match=r"with channels first .*, NCHW.*channels_last"):
        read(folder)


def with_several_signatures(folder: Path, *, default: str) -> Path:
    """Write a model whose default takes bytes of JPEG files, or a mask, beside a usable one."""
    tf = tensorflow.load()
    module = tf.Module()

    def of_files(files: Any) -> Any:
        def one(file: Any) -> Any:
            image = tf.io.decode_jpeg(file, channels=3)
            return tf.reduce_mean(tf.cast(image, tf.float32), (0, 1))

        return {"scores": tf.map_fn(one, files, fn_output_signature=tf.float32)}

    def usable(image: Any) -> Any:
        return {"scores": tf.reduce_mean(image, (1, 2))}

    calls = {
        default: tf.function(of_files).get_concrete_function(tf.TensorSpec([None], tf.string)),
        "images": tf.function(usable).get_concrete_function(
            tf.TensorSpec(tiny_models.IMAGE, tf.float32, name="image")
        ),
    }
    with tensorflow.quiet():
        tf.saved_model.save(module, str(folder), calls)
    return folder


def test_a_default_for_jpeg_files_is_not_in_the_way(tmp_path: Path) -> None:
    folder = with_several_signatures(tmp_path / "model", default="serving_default")
    found, _ = signature.read(folder)
    assert found.key == "images"
    assert "its signature images is used, the only one" in found.notes[0]
    with pytest.raises(BadInputError, match=r"bytes of a JPEG file, .*; export a signature"):
        signature.read(folder, None, Declared(signature="serving_default"))
    with pytest.raises(BadInputError, match=r"no signature other; it has images, .* --signature"):
        signature.read(folder, None, Declared(signature="other"))


def test_a_signature_is_named_if_several_are_usable(tmp_path: Path) -> None:
    folder = tiny_models.saved_model(tmp_path / "model", signatures=("embed", "classify"))
    found, _ = signature.read(folder, None, Declared(signature="classify"))
    assert (found.key, found.notes) == ("classify", ())


def with_outputs(folder: Path) -> Path:
    """Write a model that returns scores, features, a map and the best classes."""
    tf = tensorflow.load()
    matrix = tiny_models.weights(3, 5, seed=2)

    def call(image: Any) -> Any:
        features = tf.reduce_mean(image, (1, 2))
        scores = features @ matrix
        return {
            "features": features * 2,
            "scores": scores,
            "map": tf.nn.relu(image),
            "best": tf.argmax(scores, -1),
        }

    return tiny_models.save(folder, call, {"image": tiny_models.IMAGE}, matrix)


def test_the_output_of_several_is_the_one_with_the_labels_count(tmp_path: Path) -> None:
    folder = with_outputs(tmp_path / "model")
    found = read(folder)
    assert found.signature.output == "scores"
    assert "its output scores is taken as the scores" in " ".join(found.assumptions)
    images = np.random.default_rng(1).random((1, SIDE, SIDE, 3), np.float32)
    run = function_of(found.source.graph_def, found.source.input, found.source.output)
    expected = found.loaded.signatures["serving_default"](image=images)["scores"]
    np.testing.assert_allclose(run(images), expected, atol=1e-5)
    named = read(folder, Declared(output="features", labels=("a", "b", "c")).over(DECLARED))
    run = function_of(named.source.graph_def, named.source.input, named.source.output)
    np.testing.assert_allclose(run(images), 2 * images.mean((1, 2)), atol=1e-5)
    assert not any("its output" in sentence for sentence in named.assumptions)


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (Declared(), r"several may be the scores \(features \[n, 3\], scores .*--output"),
        (Declared(output="no"), r"no output no; it has best, features, map, scores; .* --output"),
        (Declared(output="map"), r"map of rank 4, .*; name another with --output"),
        (Declared(input="no"), r"no input no; it has image; name one with --input"),
    ],
)
def test_names_that_do_not_fit_are_refused_in_a_sentence(
    tmp_path: Path, declared: Declared, sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence) as raised:
        signature.read(with_outputs(tmp_path / "model"), None, declared)
    assert "\n" not in str(raised.value)
