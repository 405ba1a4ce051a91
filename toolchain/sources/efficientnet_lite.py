"""EfficientNet-Lite as Keras models, with weights from PyTorch state dicts.

This is EfficientNet (Tan & Le 2019, arXiv:1905.11946) without squeeze-and-excitation and with
ReLU6 instead of swish: MobileNetV2's inverted residuals (Sandler et al. 2018, arXiv:1801.04381)
with scaled width and depth. Stem and head have the same width in every Lite variant, and the first
and the last stage the same depth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    State = Mapping[str, np.ndarray[Any, Any]]

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


@dataclass(frozen=True)
class _Scaling:
    size: int
    width: float
    depth: float


SCALINGS = {
    "efficientnet-lite0": _Scaling(224, 1.0, 1.0),
    "efficientnet-lite1": _Scaling(240, 1.0, 1.1),
    "efficientnet-lite2": _Scaling(260, 1.1, 1.2),
    "efficientnet-lite3": _Scaling(280, 1.2, 1.4),
    "efficientnet-lite4": _Scaling(300, 1.4, 1.8),
}
"""Input size in pixels, width and depth of each variant, as its authors published them."""
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def build(name: str, state: State) -> Any:
    """Build a variant of the network and give it the weights of `state`.

    Args:
        name: The variant's name in :data:`SCALINGS`.
        state: The state dict of the PyTorch implementation: convolutions as
            `[out, in, height, width]`, float32.

    Returns:
        A Keras 3 model, float32 `[n, size, size, 3]` → logits `[n, 1000]`.

    Raises:
        BadInputError: A weight is missing, left over, or of another shape.
    """
    keras = tensorflow.load().keras
    remaining = {
        name: value for name, value in state.items() if not name.endswith("num_batches_tracked")
    }
    weights = _Weights(name, remaining)
    layers = keras.layers
    scaling = SCALINGS[name]

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

    image = keras.Input((scaling.size, scaling.size, 3), name="inputs")
    x = layers.ReLU(6.0)(convolve(image, "_conv_stem", "_bn0", _STEM, 3, 2))
    index = 0
    for stage in _scaled(scaling):
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
    return keras.Model(image, logits, name=name.replace("-", "_"))


def _scaled(scaling: _Scaling) -> tuple[_Stage, ...]:
    """Return the stages of a variant; channels are multiples of eight."""
    scaled = []
    for stage in _STAGES:
        channels = stage.channels * scaling.width
        rounded = max(8, int(channels + 4) // 8 * 8)
        rounded += 8 if rounded < 0.9 * channels else 0
        outermost = stage in (_STAGES[0], _STAGES[-1])
        repeats = stage.repeats if outermost else math.ceil(stage.repeats * scaling.depth)
        scaled.append(replace(stage, channels=rounded, repeats=repeats))
    return tuple(scaled)


def _named(name: str) -> str:
    return name.strip("_").replace(".", "_")


class _Weights:
    """Copies the state's arrays to layers, and checks that each is used once."""

    def __init__(self, network: str, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        self._network = network
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
                f"the checkpoint is not an {self._network}: {' and '.join(names)} missing or "
                "of another shape"
            ) from error

    def check_all_used(self) -> None:
        if self._arrays:
            raise BadInputError(
                f"the checkpoint is not an {self._network}: {min(self._arrays)} is left over"
            )
