"""The features of a classifier are found in every form of its graph."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import small_graphs
from tests.small_graphs import CLASSES, IMAGES, convolution, values
from toolchain import tf as tensorflow
from toolchain.errors import ToolchainError
from toolchain.graph.features import name_of
from toolchain.progress import Silent
from toolchain.quantize import canonical, quantizer, sensitivity, writing
from toolchain.tfjs import execute, features

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.quantize.writing import Format

    Array = np.ndarray[Any, Any]

_FINEST = 1e-9  # a coarseness at which every step is the finest that a byte has room for


# --- heads -----------------------------------------------------------------------------------


def pooled(image: Any) -> Any:
    tf = tensorflow.load()
    return tf.reduce_mean(tf.nn.relu(convolution(image)), (1, 2))


def two_pooled(image: Any) -> Any:
    tf = tensorflow.load()
    first = tf.nn.relu(convolution(image))
    second = tf.nn.relu(convolution(first, seed=1, channels=6))
    return tf.concat([tf.reduce_mean(first, (1, 2)), tf.reduce_mean(second, (1, 2))], 1)


def product(row: Any) -> Any:
    return row @ values(row.shape[-1], CLASSES, seed=9)


def dense(row: Any) -> Any:
    tf = tensorflow.load()
    return tf.nn.bias_add(product(row), values(CLASSES, seed=8))


def tempered(row: Any) -> Any:
    return dense(row) * np.float32(0.7)


def turned(row: Any) -> Any:
    tf = tensorflow.load()
    weights = values(CLASSES, row.shape[-1], seed=9)
    return tf.linalg.matmul(row, weights, transpose_b=True) + values(CLASSES, seed=8)


def one_by_one(row: Any) -> Any:
    tf = tensorflow.load()
    weights = values(1, 1, row.shape[-1], CLASSES, seed=9)
    scores = tf.nn.conv2d(row[:, None, None], weights, 1, "SAME")
    return tf.squeeze(tf.nn.bias_add(scores, values(CLASSES, seed=8)), (1, 2))


def softmax(row: Any) -> Any:
    tf = tensorflow.load()
    return tf.nn.softmax(dense(row))


HEADS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "a product": (pooled, product),
    "a dense layer": (pooled, dense),
    "with a temperature": (pooled, tempered),
    "a turned kernel": (pooled, turned),
    "a convolution of 1×1": (pooled, one_by_one),
    "with a softmax": (pooled, softmax),
    "two layers, pooled": (two_pooled, dense),
}


def quantised(folder: Path, form: Format) -> Path:
    """Write a converted model once more, rounded as finely as bytes allow."""
    read = canonical.read(folder, "model.json")
    felt = sensitivity.measure(read, IMAGES[:1], seed=0, progress=Silent())
    result = quantizer.Quantizer(read, IMAGES, felt, seed=0, progress=Silent()).run(
        _FINEST, Silent()
    )
    target = folder.with_name(form)
    target.mkdir()
    writing.write(
        read.with_weights(result.biases), result.kernels, target, form=form, shard_bytes=4 << 20
    )
    return target


def features_of(folder: Path) -> Array:
    run = execute.load_with_features(folder, "model.json", "mine")
    outputs, found = run(IMAGES)
    assert outputs.shape == (len(IMAGES), CLASSES)
    np.testing.assert_array_equal(outputs, execute.load(folder, "model.json")(IMAGES))
    return found


@pytest.mark.parametrize("head", HEADS)
def test_the_features_are_those_of_the_source_in_every_form(head: str, tmp_path: Path) -> None:
    below, above = HEADS[head]
    expected = below(tensorflow.load().constant(IMAGES)).numpy()
    made = {
        way: small_graphs.small(
            tmp_path / way, lambda image: above(below(image)), quantization=way
        ).folder
        for way in ("none", "float16", "uint8")
    }
    greatest = np.abs(expected).max()
    # What rounding a kernel to a byte may move, where each channel or a whole tensor has one scale.
    for folder, within in (
        (made["none"], 1e-5),
        (made["float16"], 2e-3),
        (made["uint8"], 5e-2),
        (quantised(made["none"], "packed"), 2e-2),
        (quantised(made["none"], "stock"), 2e-2),
    ):
        found = features_of(folder)
        np.testing.assert_allclose(found, expected, atol=within * greatest, err_msg=str(folder))


@pytest.mark.parametrize("head", HEADS)
def test_the_row_of_features_is_known_without_running_the_graph(head: str, tmp_path: Path) -> None:
    below, above = HEADS[head]
    folder = small_graphs.small(tmp_path, lambda image: above(below(image))).folder
    model = json.loads((folder / "model.json").read_text("utf-8"))
    row = features.row_in(model, CLASSES)
    assert row is not None
    assert row.node == features.node_in(model, "mine")
    assert row.width == features_of(folder).shape[1]


def test_a_layer_before_the_pooling_has_no_row_of_features(tmp_path: Path) -> None:
    tf = tensorflow.load()

    def of_each_place(image: Any, channels: int) -> Any:
        seen = tf.nn.relu(convolution(image))
        return tf.nn.conv2d(seen, values(1, 1, seen.shape[-1], channels), 1, "SAME")

    def pooled_last(image: Any) -> Any:
        return tf.reduce_mean(of_each_place(image, CLASSES), (1, 2))

    def flat(image: Any) -> Any:
        return tf.reshape(of_each_place(image, 1)[:, :1, :CLASSES], (1, CLASSES))

    for name, network in (("pooled", pooled_last), ("flat", flat)):
        folder = small_graphs.small(tmp_path / name, network).folder
        model = json.loads((folder / "model.json").read_text("utf-8"))
        assert features.row_in(model, CLASSES) is None, name


def test_an_average_of_two_heads_has_no_features(tmp_path: Path) -> None:
    tf = tensorflow.load()

    def two_heads(image: Any) -> Any:
        row = pooled(image)
        return tf.nn.softmax(dense(row)) + tf.nn.softmax(product(two_pooled(image)))

    folder = small_graphs.small(tmp_path, two_heads).folder
    model = json.loads((folder / "model.json").read_text("utf-8"))
    assert features.row_in(model, CLASSES) is None
    with pytest.raises(ToolchainError, match=r"^mine cannot be built .* leave none_of_these out"):
        features.node_in(model, "mine")


# --- graphs of a few nodes -------------------------------------------------------------------

LINEAR: dict[str, tuple[str, tuple[str, ...]]] = {
    "photo": ("Placeholder", ()),
    "row": ("Reshape", ("photo", "shape")),
    "shape": ("Const", ()),
    "kernel": ("Const", ()),
    "bias": ("Const", ()),
    "layer": ("MatMul", ("row:0", "kernel")),
    "sum": ("BiasAdd", ("layer", "bias")),
    "scores": ("Identity", ("sum", "^photo")),
}


def test_the_input_of_the_last_layer_is_found() -> None:
    assert name_of(LINEAR, "scores:0") == "row"


@pytest.mark.parametrize(
    ("why", "changed"),
    [
        ("no layer", {"sum": ("BiasAdd", ("row", "bias"))}),
        ("the photo is read beside the layer", {"sum": ("AddV2", ("layer", "row"))}),
        ("the kernel is computed", {"layer": ("MatMul", ("row", "row"))}),
        ("the layer's second input is the photo's", {"layer": ("MatMul", ("kernel", "row"))}),
        ("two layers", {"other": ("MatMul", ("row", "kernel")), "bias": ("Neg", ("other",))}),
        ("a layer by channel", {"layer": ("DepthwiseConv2dNative", ("row", "kernel"))}),
        ("layers that are not seen", {"sum": ("StatefulPartitionedCall", ("layer",))}),
        ("a further output of a node", {"layer": ("MatMul", ("row:1", "kernel"))}),
    ],
)
def test_a_graph_without_a_single_last_layer_has_no_features(
    why: str, changed: dict[str, tuple[str, tuple[str, ...]]]
) -> None:
    assert name_of(LINEAR | changed, "scores") is None, why
