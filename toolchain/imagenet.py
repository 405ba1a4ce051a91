"""The 1,000 classes of ImageNet-1k (ILSVRC-2012), in the order models use."""

from __future__ import annotations

from importlib import resources

CLASSES = 1000


def labels() -> tuple[str, ...]:
    """Return the names, index 0 first."""
    return _lines("imagenet_labels.txt")


def wnids() -> tuple[str, ...]:
    """Return the WordNet ids (`n01440764`) by which ImageNet's folders are named."""
    return _lines("imagenet_wnids.txt")


def _lines(name: str) -> tuple[str, ...]:
    text = resources.files("toolchain").joinpath(name)
    return tuple(text.read_text("utf-8").splitlines())
