"""Finds out which pixel values a network expects: from its graph, or by its family's name.

The operations between the photo and the first layer with weights are the model's own
preprocessing. They are run on pictures of one colour. Whatever the operations are, this shows
their factor and offset, and these tell the range that they were made for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.graph.running import function_of, node_of, sources_of
from toolchain.labels import imagenet
from toolchain.records.card import PixelRange

if TYPE_CHECKING:
    from toolchain.graph.frozen import Frozen

    Array = np.ndarray[Any, Any]

_WEIGHTED = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "Einsum"})
_BYTES = (0.0, 255.0)
_UNIT = (0.0, 1.0)
_SIGNED = (-1.0, 1.0)
PLAUSIBLE: tuple[tuple[float, float], ...] = (_UNIT, _SIGNED, _BYTES)
"""The usual ranges, to try if nothing tells the range."""
_BEHIND = (0.9, 9.0)
"""Limits for the width of the values after a model's own preprocessing. Usual widths are 1 for
0…1, 2 for -1…1, and up to 4.5 after division by a standard deviation. Chosen, not measured."""
_CAFFE_MEAN = (-140.0, -80.0)
"""Limits for the offset if only a mean is subtracted from bytes. ImageNet's means give -104 to
-124. Chosen, not measured."""


@dataclass(frozen=True)
class _Family:
    names: re.Pattern[str]
    found: PixelRange


def _family(names: str, called: str, mode: str) -> _Family:
    """Return the range of a family of `keras.applications` without its own preprocessing."""
    reason = f"Keras trains {called} on "
    if mode == "tf":
        found = PixelRange(value_range=_SIGNED, source="guessed", reason=f"{reason}-1…1")
    elif mode == "torch":
        found = PixelRange(
            value_range=_UNIT,
            source="guessed",
            reason=f"{reason}0…1 minus ImageNet's mean, divided by its deviation",
            mean=imagenet.MEAN,
            std=imagenet.STD,
        )
    else:
        found = PixelRange(
            value_range=_BYTES,
            source="guessed",
            reason=f"{reason}0…255 in BGR minus ImageNet's mean",
            mean=imagenet.CAFFE_MEAN,
            channels="bgr",
        )
    return _Family(re.compile(rf"(?:^|/)(?:{names})(?:_\d+)?(?:/|$)"), found)


# The model names of keras.applications. EfficientNet, EfficientNetV2, MobileNetV3 and ConvNeXt are
# not listed: their graphs contain the preprocessing.
_FAMILIES = (
    _family(r"mobilenet_\d\.\d+_\w+", "MobileNet", "tf"),
    _family(r"mobilenetv2_\d\.\d+_\w+", "MobileNetV2", "tf"),
    _family("xception", "Xception", "tf"),
    _family("inception_v3", "InceptionV3", "tf"),
    _family("inception_resnet_v2", "InceptionResNetV2", "tf"),
    _family("nasnet(?:_mobile|_large)?|NASNet", "NASNet", "tf"),
    _family("resnet(?:50|101|152)v2", "ResNetV2", "tf"),
    _family("densenet(?:121|169|201)", "DenseNet", "torch"),
    _family("resnet(?:50|101|152)", "ResNet", "caffe"),
    _family("vgg(?:16|19)", "VGG", "caffe"),
)


def of(frozen: Frozen, height: int, width: int, *, takes_bytes: bool) -> PixelRange | None:
    """Return the pixel values that a network expects; None if neither graph nor name tells.

    Args:
        frozen: The graph.
        height: Height of its input, in pixels.
        width: Width of its input, in pixels.
        takes_bytes: Whether its input is of integers.
    """
    if takes_bytes:
        return PixelRange(
            value_range=_BYTES, source="graph", reason="its input is of bytes", takes_bytes=True
        )
    lines = [_line(frozen, node, height, width) for node in _first_weighted(frozen)]
    known = [line for line in lines if line is not None]
    found = {_by(*line) for line in known}
    agreed = found.pop() if len(known) == len(lines) and len(found) == 1 else None
    if agreed:
        factor, offset = known[0]
        return PixelRange(
            value_range=agreed,
            source="graph",
            reason=f"its graph computes {factor:.5g} · pixel {offset:+.4g} first",
        )
    untouched = bool(known) and all(_is_nothing(*line) for line in known)
    if not untouched:
        return None
    return _by_name(frozen)


def _by_name(frozen: Frozen) -> PixelRange | None:
    for family in _FAMILIES:
        if any(family.names.search(node.name) for node in frozen.graph_def.node):
            return family.found
    return None


def _first_weighted(frozen: Frozen) -> list[Any]:
    """Return the layers with weights that read the photo through operations without weights."""
    nodes = {node.name: node for node in frozen.graph_def.node}
    behind: dict[str, bool] = {frozen.input: True}

    def reads_photo(name: str) -> bool:
        """Tell whether a node depends on the photo only through operations without weights."""
        waiting = [name]
        while waiting:
            current = waiting[-1]
            if current in behind:
                waiting.pop()
                continue
            sources = sources_of(nodes[current])
            if missing := [source for source in sources if source not in behind]:
                waiting += missing
                continue
            passes = nodes[current].op not in _WEIGHTED
            behind[current] = passes and any(behind[source] for source in sources)
            waiting.pop()
        return behind[name]

    return [
        node
        for node in frozen.graph_def.node
        if node.op in _WEIGHTED and any(reads_photo(source) for source in sources_of(node))
    ]


def _line(frozen: Frozen, node: Any, height: int, width: int) -> tuple[float, float] | None:
    """Return the factor and offset between a pixel's value and what a layer reads of it.

    Both are means over the channels. The result is None if the relation is not linear.
    """
    tested = (0.0, 1.0, 100.0, 255.0)
    try:
        run = function_of(frozen.graph_def, frozen.input, node_of(node.input[0]))
        read = [
            run(np.full((1, height, width, 3), value, np.float32)).astype(np.float64)
            for value in tested
        ]
    except Exception:  # noqa: BLE001 - TensorFlow may raise anything; then the range is unknown
        return None
    # There may be a border of zeros around the picture, so only its middle is compared.
    middle = np.array([_middle(each) for each in read])
    if not np.isfinite(middle).all():
        return None
    offset, factor = middle[0], (middle[3] - middle[0]) / 255
    expected = offset + np.outer(tested, factor)
    if np.abs(expected - middle).max() > 1e-3 * max(1.0, float(np.abs(middle).max())):
        return None
    return float(factor.mean()), float(offset.mean())


def _middle(values: Array) -> Array:
    """Return the numbers that belong to the picture's middle pixel."""
    one = values[0]
    if one.ndim == 3:  # noqa: PLR2004 - height, width, channels, in either order
        if one.shape[0] <= 4 < one.shape[-1]:  # noqa: PLR2004 - colours first
            first: Array = one[:, one.shape[1] // 2, one.shape[2] // 2].ravel()
            return first
        inner: Array = one[one.shape[0] // 2, one.shape[1] // 2].ravel()
        return inner
    flat: Array = one.ravel()
    place = len(flat) // 2 // 3 * 3
    return flat[place : place + 3]


def _is_nothing(factor: float, offset: float) -> bool:
    return abs(factor - 1) < 1e-4 and abs(offset) < 1e-4  # noqa: PLR2004


def _by(factor: float, offset: float) -> tuple[float, float] | None:
    """Return the range that a factor and an offset were made for, or None."""
    if _is_nothing(factor, offset):
        return None
    if abs(factor - 1) < 1e-4 and _CAFFE_MEAN[0] <= offset <= _CAFFE_MEAN[1]:  # noqa: PLR2004
        return _BYTES
    for low, high in (_BYTES, _UNIT, _SIGNED):
        if _BEHIND[0] <= factor * (high - low) < _BEHIND[1]:
            return low, high
    return None
