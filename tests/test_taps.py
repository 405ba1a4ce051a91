"""Where networks can be cut: after their blocks, never within one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph import frozen as freezing
from toolchain.graph import signature, taps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIDE = 64


def frozen(model: Any, folder: Path) -> freezing.Frozen:
    with tensorflow.quiet():
        model.export(str(folder), verbose=False)
        found, loaded = signature.read(folder)
        return freezing.freeze(loaded, found, "model")


def widths(model: Any, folder: Path) -> list[int]:
    return [tap.width for tap in taps.find(frozen(model, folder), "model")]


def chain(keras: Any) -> Any:
    """Return a MobileNet of version 1: depthwise and pointwise layers in turn."""
    x = image = keras.Input((SIDE, SIDE, 3))
    for width in (8, 16, 24):
        x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU(6.0)(x)
        x = keras.layers.Conv2D(width, 1)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU(6.0)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(5)(x))


def inverted(keras: Any) -> Any:
    """Return inverted residuals: two blocks of which the second has a shortcut."""
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(8, 3, 2, padding="same", activation="relu")(image)
    for width in (12, 12, 20):
        start = x
        x = keras.layers.Conv2D(x.shape[-1] * 6, 1, activation="relu")(x)
        x = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
        x = keras.layers.Conv2D(width, 1)(x)
        if start.shape[-1] == width:
            x = keras.layers.Add()([start, x])
    x = keras.layers.Conv2D(64, 1, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(5, activation="softmax")(x))


def bottleneck(keras: Any) -> Any:
    """Return a ResNet: the activation follows the sum."""
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    for _ in range(2):
        start = x
        x = keras.layers.Conv2D(4, 1, activation="relu")(x)
        x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
        x = keras.layers.Conv2D(16, 1)(x)
        x = keras.layers.ReLU()(keras.layers.Add()([start, x]))
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Conv2D(5, 1)(x)
    return keras.Model(image, keras.layers.Activation("softmax")(keras.layers.Flatten()(x)))


def of_features(keras: Any) -> Any:
    """Return a network without a classifier."""
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(8, 3, activation="relu")(image)
    x = keras.layers.Conv2D(12, 3, activation="relu")(x)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (chain, [8, 16, 24]),
        # The widened middles of blocks and the sums' terms are no ends of blocks.
        (inverted, [8, 12, 12, 20, 64]),
        (bottleneck, [16, 16, 16]),
        (of_features, [8, 12]),
    ],
)
def test_networks_are_cut_after_their_blocks(
    make: Callable[[Any], Any], wanted: list[int], tmp_path: Path
) -> None:
    keras = tensorflow.load().keras
    found = taps.find(frozen(make(keras), tmp_path / "model"), "model")
    # The last block is cut behind its pooling, if that is the last layer's input.
    assert [tap.width for tap in found] == wanted
    assert [tap.parameters for tap in found] == sorted(tap.parameters for tap in found)
    blocks = [tap.block for tap in found]
    assert blocks == sorted(set(blocks))


def test_parameters_are_those_of_kernels_up_to_the_cut(tmp_path: Path) -> None:
    keras = tensorflow.load().keras
    found = taps.find(frozen(of_features(keras), tmp_path / "model"), "model")
    assert [tap.parameters for tap in found] == [9 * 3 * 8, 9 * 3 * 8 + 9 * 8 * 12]


def test_a_network_without_a_last_dense_layer_is_refused(tmp_path: Path) -> None:
    keras = tensorflow.load().keras
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3)(image))
    two = keras.layers.Dense(5)(x), keras.layers.Dense(5)(x)
    model = keras.Model(image, keras.layers.Multiply()(two))
    with pytest.raises(BadInputError, match="model does not end with one dense layer that new"):
        taps.find(frozen(model, tmp_path / "model"), "model")
