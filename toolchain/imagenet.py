"""The 1,000 class names of ImageNet-1k (ILSVRC-2012), in the order models use."""

from __future__ import annotations

from importlib import resources

CLASSES = 1000


def labels() -> tuple[str, ...]:
    """Return the names, index 0 first."""
    text = resources.files("toolchain").joinpath("imagenet_labels.txt")
    return tuple(text.read_text("utf-8").splitlines())
