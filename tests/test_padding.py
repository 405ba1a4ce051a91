"""Strides larger than the kernel: TF.js' convolution gives zeros where nothing is to be padded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tfjs_wasm, tiny_models
from toolchain import tf as tensorflow
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources.saved_model import Fetched
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

# Kernel, strides, and the sides of the input; what is missing is below zero on one side at least.
LAYERS = [
    ((3, 3), (4, 4), (32, 32)),
    ((3, 3), (4, 4), (33, 32)),
    ((1, 3), (2, 2), (32, 32)),
    ((3, 1), (2, 2), (32, 31)),
    ((1, 1), (2, 2), (32, 32)),
    ((2, 5), (3, 2), (31, 30)),
]


@pytest.mark.parametrize("kind", ["convolution", "depthwise"])
@pytest.mark.parametrize(("kernel", "strides", "sides"), LAYERS)
def test_webassembly_gives_tensorflows_numbers(
    kind: str,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    sides: tuple[int, int],
    tmp_path: Path,
    store: Store,
) -> None:
    if kind == "depthwise" and strides[0] != strides[1]:
        pytest.skip("TensorFlow has no depthwise convolution of two strides")
    tf = tensorflow.load()
    deep = kind == "depthwise"
    weights = tiny_models.weights(*kernel, 3, 2 if deep else 6, seed=1)
    matrix = tiny_models.weights(6, 5, seed=2)
    steps = (1, *strides, 1)

    def call(image: Any) -> Any:
        layer = tf.nn.depthwise_conv2d if deep else tf.nn.conv2d
        seen = layer(image, weights, steps, "SAME")
        return {"scores": 9 * tf.reduce_mean(tf.nn.relu(seen), (1, 2)) @ matrix}

    path = tiny_models.save(tmp_path / "mine", call, {"image": (None, *sides, 3)}, weights, matrix)
    declared = Declared(labels=tiny_models.names(), value_range=(0, 1))
    model = tfjs.run(
        Fetched(path, "0" * 64, "mine", declared),
        quantization="none",
        shard_bytes=4 << 20,
        store=store,
        progress=Silent(),
    )
    image = np.random.default_rng(0).uniform(0, 1, (1, *sides, 3)).astype(np.float32)
    expected = call(tf.constant(image))["scores"].numpy()
    assert np.ptp(expected) > 0.1
    folder = tfjs_wasm.unpacked(
        model.folder, model.converted.artifacts.model_json, tmp_path / "plain"
    )
    (found,) = tfjs_wasm.outputs([folder], image, tmp_path)
    assert not isinstance(found, str), found
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
