"""The patches that quantisation samples are those that TensorFlow's kernels read."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.quantize import sampling
from toolchain.quantize.layer_graph import Layer

KERNELS = ((1, 1), (3, 3), (5, 5), (3, 1), (2, 4))
STRIDES_AND_DILATIONS = ((1, 1), (2, 1), (3, 1), (1, 2))
SIDES = ((9, 9), (14, 13), (13, 10))


def layer_of(stride: int, dilation: int, padding: str) -> Layer:
    return Layer(
        name="conv",
        kind="convolution",
        input="image",
        kernel="kernel",
        bias="",
        strides=(1, stride, stride, 1),
        dilations=(1, dilation, dilation, 1),
        padding=padding,
    )


def all_patches(batch: Any, layer: Layer, kernel: tuple[int, int]) -> Any:
    """Return all patches that TensorFlow cuts, `[images, positions, inputs]`."""
    tf = tensorflow.load()
    patches = tf.image.extract_patches(
        batch, [1, *kernel, 1], list(layer.strides), list(layer.dilations), layer.padding
    )
    images, height, width, inputs = patches.shape
    return tf.reshape(patches, (images, height * width, inputs)).numpy()


def test_sampled_patches_are_those_of_tensorflow() -> None:
    tf = tensorflow.load()
    random = np.random.default_rng(1)
    for kernel, (stride, dilation), padding, side in itertools.product(
        KERNELS, STRIDES_AND_DILATIONS, ("SAME", "VALID"), SIDES
    ):
        case = f"{kernel=} {stride=} {dilation=} {padding=} {side=}"
        layer = layer_of(stride, dilation, padding)
        batch = tf.constant(random.normal(size=(2, *side, 3)), tf.float32)
        expected = all_patches(batch, layer, kernel)
        count = expected.shape[1]
        shape = (*kernel, 3, 4)
        every = sampling.rows(layer, shape, [batch], seed=1)
        np.testing.assert_array_equal(every, expected.reshape(2 * count, -1), case)
        if count > 4:
            few = sampling._patches(batch, layer, shape, 4, np.random.default_rng(2))
            chosen = np.sort(np.random.default_rng(2).choice(count, 4, replace=False))
            np.testing.assert_array_equal(few, expected[:, chosen].reshape(8, -1), case)
