"""EfficientNet-Lite0 as a Keras model, with weights from a PyTorch state dict.

This is EfficientNet (Tan & Le 2019, arXiv:1905.11946) without squeeze-and-excitation and with
ReLU6 instead of swish: MobileNetV2's inverted residuals (Sandler et al. 2018, arXiv:1801.04381)
with scaled width and depth. Stem and head have the same width in every Lite variant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    State = Mapping[str, np.ndarray[Any, Any]]

SIZE = 224
CLASSES = 1000
_STEM = 32
_HEAD = 1280
_EPSILON = 1e-3


@dataclass(frozen=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def build(state: State) -> Any:
    """Build the network and give it the weights of `state`.

    Args:
        state: The state dict of the PyTorch implementation: convolutions as
            `[out, in, height, width]`, float32.

    Returns:
        A Keras 3 model, float32 `[n, 224, 224, 3]` → logits `[n, 1000]`.

    Raises:
        BadInputError: A weight is missing, left over, or of another shape.
    """
    keras = tensorflow.load().keras
    remaining = {
        name: value for name, value in state.items() if not name.endswith("num_batches_tracked")
    }
    weights = _Weights(remaining)
    layers = keras.layers

    def convolve(x: Any, name: str, norm: str, filters: int, kernel: int, stride: int) -> Any:
        layer = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=_named(name))
        x = layer(x)
        weights.assign(layer, (f"{name}.weight",), axes=(2, 3, 1, 0))
        return normalise(x, norm)

    def convolve_depthwise(x: Any, name: str, norm: str, kernel: int, stride: int) -> Any:
        layer = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=_named(name))
        x = layer(x)
        weights.assign(layer, (f"{name}.weight",), axes=(2, 3, 0, 1))
        return normalise(x, norm)

    def normalise(x: Any, name: str) -> Any:
        layer = layers.BatchNormalization(epsilon=_EPSILON, name=_named(name))
        x = layer(x)
        parts = ("weight", "bias", "running_mean", "running_var")
        weights.assign(layer, tuple(f"{name}.{part}" for part in parts))
        return x

    image = keras.Input((SIZE, SIZE, 3), name="inputs")
    x = layers.ReLU(6.0)(convolve(image, "_conv_stem", "_bn0", _STEM, 3, 2))
    index = 0
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            block = f"_blocks.{index}."
            entry, width = x, x.shape[-1]
            stride = stage.stride if repeat == 0 else 1
            if stage.expansion > 1:
                filters = width * stage.expansion
                x = convolve(x, block + "_expand_conv", block + "_bn0", filters, 1, 1)
                x = layers.ReLU(6.0)(x)
            x = convolve_depthwise(
                x, block + "_depthwise_conv", block + "_bn1", stage.kernel, stride
            )
            x = layers.ReLU(6.0)(x)
            x = convolve(x, block + "_project_conv", block + "_bn2", stage.channels, 1, 1)
            if stride == 1 and width == stage.channels:
                x = layers.Add()([entry, x])
            index += 1
    x = layers.ReLU(6.0)(convolve(x, "_conv_head", "_bn1", _HEAD, 1, 1))
    x = layers.GlobalAveragePooling2D()(x)
    classifier = layers.Dense(CLASSES, name="logits")
    logits = classifier(x)
    weights.assign(classifier, ("_fc.weight", "_fc.bias"), axes=(1, 0))
    weights.check_all_used()
    return keras.Model(image, logits, name="efficientnet_lite0")


def _named(name: str) -> str:
    return name.strip("_").replace(".", "_")


class _Weights:
    """Copies the state's arrays to layers, and checks that each is used once."""

    def __init__(self, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        self._arrays = arrays

    def assign(self, layer: Any, names: tuple[str, ...], axes: tuple[int, ...] = ()) -> None:
        """Set a layer's weights; `axes` is the permutation of the first one."""
        try:
            values = [self._arrays.pop(name) for name in names]
            if axes:
                values[0] = values[0].transpose(axes)
            layer.set_weights(values)
        except (KeyError, ValueError) as error:
            raise BadInputError(
                f"the checkpoint is not an EfficientNet-Lite0: {' and '.join(names)} missing or "
                "of another shape"
            ) from error

    def check_all_used(self) -> None:
        if self._arrays:
            raise BadInputError(
                f"the checkpoint is not an EfficientNet-Lite0: {min(self._arrays)} is left over"
            )
