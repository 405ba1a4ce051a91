"""The 1,000 classes of ImageNet-1k (ILSVRC-2012), in the order models use."""

from __future__ import annotations

from importlib import resources

CLASSES = 1000
MEAN = (0.485, 0.456, 0.406)
"""Of its photos' red, green and blue in 0…1, as torchvision's and DenseNet's models subtract it."""
STD = (0.229, 0.224, 0.225)
"""What the rest is divided by, likewise."""
CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Of red, green and blue in 0…255, as Caffe's models and those that follow them subtract it."""


def labels() -> tuple[str, ...]:
    """Return the names, index 0 first."""
    return _lines("imagenet_labels.txt")


def wnids() -> tuple[str, ...]:
    """Return the WordNet ids (`n01440764`) by which ImageNet's folders are named."""
    return _lines("imagenet_wnids.txt")


def _lines(name: str) -> tuple[str, ...]:
    text = resources.files("toolchain.labels").joinpath(name)
    return tuple(text.read_text("utf-8").splitlines())
