"""Graphs that the converter's own passes would change: what they compute stays as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tfjs_wasm
from tests.small_graphs import CHANNELS, CLASSES, IMAGES, convolution, head, small, values
from toolchain import tf as tensorflow
from toolchain.quantize.unchanged import difference
from toolchain.tfjs import converter, converter_passes, execute
from toolchain.tfjs_graph import topology as tfjs_topology

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("graphs")

CLOSE = 1e-5


def _depthwise(x: Any) -> Any:
    tf = tensorflow.load()
    return tf.nn.depthwise_conv2d(x, values(3, 3, 3, 2), (1, 1, 1, 1), "SAME")


def _norm(x: Any, seed: int = 1) -> Any:
    tf = tensorflow.load()
    gamma, beta, mean = (values(x.shape[-1], seed=seed + part, mean=1.0) for part in range(3))
    return tf.compat.v1.nn.fused_batch_norm(
        x, gamma, beta, mean, np.abs(values(x.shape[-1], seed=7)) + 0.1, 1e-3, is_training=False
    )[0]


def _prelu(x: Any, slopes: Any) -> Any:
    tf = tensorflow.load()
    return tf.nn.relu(x) + (-slopes) * tf.nn.relu(-x)


def _graphs() -> dict[str, Callable[[Any], Any]]:
    tf = tensorflow.load()
    six, eight = values(6), values(CHANNELS)

    def twice(layer: Callable[[Any], Any], use: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Read a layer through `use`, and as it is."""

        def call(x: Any) -> Any:
            y = layer(x)
            return head(use(y) + y)

        return call

    def kernel_of_two(x: Any) -> Any:
        kernel = tf.constant(values(3, 3, 3, CHANNELS))
        one, other = (tf.nn.conv2d(z, kernel, 1, "SAME") for z in (x, x * x))
        return head(_norm(one) + tf.nn.relu(other) + _norm(other, 5))

    def half_read_elsewhere(x: Any) -> Any:
        y = convolution(x)
        above = tf.nn.relu(y)
        return head(above + (-eight) * tf.nn.relu(-y) + convolution(above, 2))

    def slopes_read_elsewhere(x: Any) -> Any:
        y, slopes = convolution(x), tf.constant(eight)
        return head(tf.nn.relu(y) + slopes * tf.nn.relu(-y) + slopes)

    return {
        "depthwise with a bias and without": twice(_depthwise, lambda y: tf.nn.bias_add(y, six)),
        "depthwise with an activation and without": twice(_depthwise, tf.nn.relu),
        "depthwise, bias, with an activation and without": twice(
            lambda x: tf.nn.bias_add(_depthwise(x), six), tf.nn.relu6
        ),
        "depthwise with BatchNorm and without": twice(_depthwise, _norm),
        "convolution with BatchNorm and without": twice(convolution, _norm),
        "sum with BatchNorm and without": twice(lambda x: convolution(x) + eight, _norm),
        "one kernel, three BatchNorms": kernel_of_two,
        "PReLU beside its layer": twice(
            lambda x: tf.nn.bias_add(convolution(x), eight), lambda y: _prelu(y, eight)
        ),
        "half of a PReLU read elsewhere": half_read_elsewhere,
        "slopes read elsewhere": slopes_read_elsewhere,
        "a sum that makes the rank higher": lambda x: tf.reshape(
            head(convolution(x)) + values(1, 1, 1, CLASSES), (-1, CLASSES)
        ),
        "a sum that makes the picture larger": lambda x: head(
            tf.reduce_mean(convolution(x), (1, 2), keepdims=True) @ values(CHANNELS, CHANNELS)
            + convolution(x, 1)
        ),
        "constant first": lambda x: head(tf.nn.relu(values(1, 1, CHANNELS) + convolution(x))),
    }


def test_the_answer_stays_whoever_else_reads_a_layer(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    made = {name: small(tmp_path_factory.mktemp("small"), call) for name, call in _graphs().items()}
    moved = {name: difference(each.expected, each.converted) for name, each in made.items()}
    assert {name: by for name, by in moved.items() if not by < CLOSE} == {}
    answers = tfjs_wasm.outputs([each.folder for each in made.values()], IMAGES, tmp_path)
    wrong = {
        name: answer
        for (name, each), answer in zip(made.items(), answers, strict=True)
        if isinstance(answer, str) or not difference(each.expected, answer) < CLOSE
    }
    assert wrong == {}


def test_the_converter_alone_would_change_one(tmp_path: Path) -> None:
    """Says that the guard is still needed: when this fails, a newer converter has no need of it."""
    tensorflowjs = converter.load()
    fuse_depthwise_conv2d = tensorflowjs.fuse_depthwise_conv2d
    unguarded = fuse_depthwise_conv2d.fuse_depthwise_conv2d
    with converter_passes.guarded(tensorflowjs):
        assert fuse_depthwise_conv2d.fuse_depthwise_conv2d is not unguarded
    assert fuse_depthwise_conv2d.fuse_depthwise_conv2d is unguarded

    each = small(tmp_path, _graphs()["depthwise with a bias and without"])
    with tensorflow.quiet():
        tensorflowjs.convert_tf_saved_model(
            str(tmp_path / "source"), str(tmp_path / "alone"), signature_def="serving_default"
        )
    alone = execute.load(tmp_path / "alone", "model.json")(IMAGES)
    assert difference(each.expected, alone) > 0.01
    assert difference(each.expected, each.converted) < CLOSE


def _residuals() -> dict[str, Callable[[Any], Any]]:
    tf = tensorflow.load()

    def behind(x: Any) -> Any:
        y = tf.nn.relu(convolution(x))
        return head(tf.nn.relu(convolution(y, 1) + y))

    def before(x: Any) -> Any:
        y = convolution(x)
        z = convolution(tf.nn.relu(_norm(y)), 1) + y
        return head(tf.nn.relu(_norm(z)) + convolution(z, 2))

    return {"activation behind": behind, "activation before": before}


@pytest.mark.parametrize(("form", "layers"), [("activation behind", 2), ("activation before", 4)])
def test_residual_networks_compute_no_more_than_they_must(
    tmp_path: Path, form: str, layers: int
) -> None:
    each = small(tmp_path, _residuals()[form])
    model = json.loads((each.folder / "model.json").read_text("utf-8"))
    operations = [node.op for node in tfjs_topology.unfused(model).node]
    assert operations.count("Relu") == 2
    # In the second form the first layer is read with its BatchNorm and without.
    assert operations.count("Conv2D") == layers
    assert difference(each.expected, each.converted) < CLOSE
