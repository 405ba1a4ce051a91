"""The 1,000 classes of ImageNet-1k (ILSVRC-2012), in the order that models use."""

from __future__ import annotations

from importlib import resources

CLASSES = 1000
MEAN = (0.485, 0.456, 0.406)
"""Mean red, green and blue of its photos in 0…1, as used by torchvision and DenseNet."""
STD = (0.229, 0.224, 0.225)
"""Standard deviations of red, green and blue in 0…1, as used by torchvision and DenseNet."""
CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Mean red, green and blue of its photos in 0…255, as used by Caffe and similar models."""


def labels() -> tuple[str, ...]:
    """Return the names, index 0 first."""
    return _lines("imagenet_labels.txt")


def wnids() -> tuple[str, ...]:
    """Return the WordNet ids (such as `n01440764`), which are the names of ImageNet's folders."""
    return _lines("imagenet_wnids.txt")


def _lines(name: str) -> tuple[str, ...]:
    text = resources.files("toolchain.labels").joinpath(name)
    return tuple(text.read_text("utf-8").splitlines())
