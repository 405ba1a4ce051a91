"""Finds the pixel values that a model takes, by trying labelled photos."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.labels import imagenet
from toolchain.photos.photo_folder import label_indices
from toolchain.records.card import NO_MEAN, NO_STD, Declared, PixelRange
from toolchain.records.record import Record

if TYPE_CHECKING:
    from toolchain.photos.photo_folder import Photos
    from toolchain.progress import Progress
    from toolchain.records.card import InputSpec, ModelCard
    from toolchain.sources.saved_model import Fetched

    Array = np.ndarray[Any, Any]

_PHOTOS = 100  # photos to try, at most; chosen, not measured
_SURE = 0.05  # significance level of the sign test


def _plausible() -> tuple[PixelRange, ...]:
    """Return the usual pixel values of classifiers, the most usual first."""

    def plain(low: float, high: float) -> PixelRange:
        return PixelRange(value_range=(low, high), source="guessed", reason="")

    return (
        plain(0, 1),
        plain(-1, 1),
        plain(0, 255),
        plain(0, 1).model_copy(update={"mean": imagenet.MEAN, "std": imagenet.STD}),
        plain(0, 255).model_copy(update={"mean": imagenet.CAFFE_MEAN, "channels": "bgr"}),
    )


class Trial(Record):
    """A model's results on labelled photos with each of the usual pixel values."""

    best: PixelRange
    """The one with the most correct photos; the more usual one if several are equal."""
    right: int
    of: int
    is_clear: bool
    """Whether the second best is significantly worse."""


def find(fetched: Fetched, photos: Photos, *, progress: Progress) -> Trial:
    """Run a model on photos with each of the usual pixel values.

    Args:
        fetched: The model, whose operations were checked (`sources/operations.py`).
        photos: Photos in class folders.
        progress: Advances with each photo.

    Raises:
        BadInputError: The photos have no classes, match no labels, or cannot be read.
    """
    from toolchain.graph import classifier, preprocess

    if photos.classes is None:
        raise BadInputError(f"{photos.folder} has no class folders, so no range can be tried")
    anything = Declared(value_range=(0.0, 1.0)).over(fetched.declared)
    read = classifier.read(replace(fetched, declared=anything))
    card = read.card
    places = label_indices(photos.classes, card.labels, photos.folder)
    few = photos.limited(_PHOTOS)
    ways = _plausible()
    hits: list[list[bool]] = [[] for _ in ways]
    with progress.track("Trying ranges of pixel values", len(few.paths), "photos") as tracker:
        for path, name in zip(few.paths, few.classes or (), strict=True):
            tracker.advance(1)
            try:
                pixels = preprocess.load(path, _as_bytes(card))
            except BadInputError:
                continue
            for way, found in zip(ways, hits, strict=True):
                image = preprocess.values(pixels, _as(card, way))
                scores = classifier.source_scores(read, image[None])[0, card.label_offset :]
                found.append(int(scores.argmax()) == places[name])
    counts = [sum(found) for found in hits]
    if not hits[0]:
        raise BadInputError(f"{photos.folder} holds no photo that can be read; give other photos")
    first, second = np.argsort([-count for count in counts], kind="stable")[:2]
    return Trial(
        best=ways[first].model_copy(
            update={
                "reason": f"with them {counts[first]} of {len(hits[0])} labelled photos get the "
                f"right label, and {counts[second]} with the next best ones"
            }
        ),
        right=counts[first],
        of=len(hits[0]),
        is_clear=_is_clear(hits[first], hits[second]),
    )


def _is_clear(one: list[bool], other: list[bool]) -> bool:
    """Tell whether one way is significantly better than another, by a sign test of the pairs."""
    from scipy.stats import binomtest

    won = sum(a and not b for a, b in zip(one, other, strict=True))
    lost = sum(b and not a for a, b in zip(one, other, strict=True))
    return won > lost and bool(binomtest(won, won + lost).pvalue < _SURE)


def _as_bytes(card: ModelCard) -> InputSpec:
    return card.input.model_copy(
        update={"value_range": (0.0, 255.0), "mean": NO_MEAN, "std": NO_STD, "channels": "rgb"}
    )


def _as(card: ModelCard, way: PixelRange) -> InputSpec:
    return card.input.model_copy(
        update={
            "value_range": way.value_range,
            "mean": way.mean,
            "std": way.std,
            "channels": way.channels,
        }
    )
