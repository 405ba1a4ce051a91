"""Small classifiers, each a function of the images, saved and converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.tfjs import execute
from toolchain.tfjs.convert import Quantization, convert

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Array = np.ndarray[Any, Any]

SIDE = 16
CHANNELS = 8
CLASSES = 5
IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, SIDE, SIDE, 3)).astype(np.float32)


@dataclass(frozen=True)
class Small:
    """A small classifier, as a function and converted."""

    call: Callable[[Array], Array]
    folder: Path
    """Holds `model.json` and its shards, unsealed."""

    @property
    def expected(self) -> Array:
        """The source's outputs for :data:`IMAGES`, float32 `[3, 5]`."""
        return self.call(IMAGES)

    @property
    def converted(self) -> Array:
        """The artifacts' outputs for :data:`IMAGES` in the Python executor."""
        return execute.load(self.folder, "model.json")(IMAGES)


def values(*shape: int, seed: int = 0, mean: float = 0.0) -> Array:
    """Return constants that are the same in every process."""
    random = np.random.default_rng([seed, *shape, len(shape)])
    return random.normal(mean, 0.5, shape).astype(np.float32)


def convolution(x: Any, seed: int = 0, channels: int = CHANNELS) -> Any:
    """Convolve `x` with a kernel of 3×3."""
    tf = tensorflow.load()
    return tf.nn.conv2d(x, values(3, 3, x.shape[-1], channels, seed=seed), 1, "SAME")


def head(x: Any) -> Any:
    """Turn `[n, h, w, c]` into five scores."""
    tf = tensorflow.load()
    return tf.reduce_mean(x, (1, 2)) @ values(x.shape[-1], CLASSES, seed=9)


def small(
    folder: Path,
    function: Callable[[Any], Any],
    *variables: Any,
    quantization: Quantization = "none",
) -> Small:
    """Save and convert a function from images, `[n, 16, 16, 3]`, to scores.

    Variables that the function reads are passed too, so that they are saved.
    """
    tf = tensorflow.load()
    module = tf.Module()
    module.kept = list(variables)
    spec = tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, name="image")
    concrete = tf.function(lambda image: {"scores": function(image)}).get_concrete_function(spec)
    with tensorflow.quiet():
        tf.saved_model.save(module, str(folder / "source"), {"serving_default": concrete})
    target = folder / "converted"
    convert(
        folder / "source",
        target,
        signature="serving_default",
        quantization=quantization,
        shard_bytes=4 << 20,
    )
    return Small(lambda images: concrete(tf.constant(images))["scores"].numpy(), target)
