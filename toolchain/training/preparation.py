"""Readies photos for learning: their features, their sessions, and how they can be divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.images import heic
from toolchain.training import features, folds, groups

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.training.backbone import Backbone
    from toolchain.training.groups import Groups
    from toolchain.training.options import TrainOptions
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

NAMED = 5
"""Unreadable photos that messages and the record name."""
_LEAST_SESSIONS = 3  # of each tag, to compare depths by. Chosen
# The least that features of a trained network differ between photos, as a part of their size.
# Chosen: photos of flowers give 0.65 (MobileNetV1 0.25), 0.78
# (MobileNetV2) and 0.82 (EfficientNet-Lite0), and 0.47 where MobileNetV2 is fed 0…255.
_LEAST_SPREAD = 0.01


@dataclass(frozen=True)
class Prepared:
    """Photos with their features; what all steps of a run share."""

    photos: PhotoSet
    bases: tuple[Backbone, ...]
    own: list[Array]
    """Of each base: the features of the tags' photos, float32 `[photos, width]`."""
    foreign: list[Array]
    """Of each base: the features of photos of none of the tags."""
    groups: Groups
    folds: int

    def divide(self, seed: int) -> Array:
        """Return folds in which a session is never on both sides, int `[photos]`."""
        return folds.divide(self.photos.truth, self.groups.of, folds=self.folds, seed=seed)

    def divide_to_choose(self, seed: int) -> Array:
        """Return the folds to compare depths by.

        Two sessions are too few for that: a layer would learn from the smaller one alone. Then
        photos of one session may be on both sides, near duplicates never.
        """
        if self.folds >= _LEAST_SESSIONS:
            return self.divide(seed)
        count = folds.possible(self.photos.truth, self.groups.alike)
        return folds.divide(self.photos.truth, self.groups.alike, folds=count, seed=seed)


def prepare(
    photos: PhotoSet,
    bases: tuple[Backbone, ...],
    options: TrainOptions,
    store: Store,
    progress: Progress,
) -> Prepared:
    """Compute the features of all photos, and leave out those that cannot be read.

    Args:
        photos: The photos.
        bases: The base networks.
        options: Where to compute, and what tells sessions.
        store: The cache.
        progress: Shows each step.

    Raises:
        BadInputError: A network fails on a photo, or sessions cannot be told as asked.
        ToolchainError: The workers failed.
    """
    everything = (*photos.photos, *photos.none)
    rows, broken = features.extract(
        everything, bases, options.extraction, store=store, progress=progress
    )
    readable = [photo.sha256 not in broken for photo in everything]
    photos = photos.without(broken)
    if photos.broken:
        count = len(photos.broken)
        are = (
            "1 file cannot be read as a picture and is"
            if count == 1
            else (f"{count} files cannot be read as pictures and are")
        )
        more = " …" if count > NAMED else ""
        progress.warn(f"{are} left out: {', '.join(photos.broken[:NAMED])}{more}")
        if not heic.is_readable() and any(map(_is_named_heic, photos.broken)):
            progress.warn(f"some of these are HEIC photos; {heic.WAY_OUT}")
    rows = [each[readable] for each in rows]
    count = len(photos.photos)
    own, foreign = [each[:count] for each in rows], [each[count:] for each in rows]
    for base, matrix in zip(bases, own, strict=True):
        _warn_of_alike(base, matrix, progress)
    found = groups.find(
        photos, own[0][:, bases[0].columns(len(bases[0].taps) - 1)], options.group_by
    )
    most = folds.possible(photos.truth, found.of)
    if most < 2:  # noqa: PLR2004
        found = groups.Groups(
            np.arange(count),
            np.arange(count),
            "none",
            "all photos of a tag look alike, so they are divided singly",
        )
        most = folds.possible(photos.truth, found.of)
    return Prepared(photos, bases, own, foreign, found, most)


def _warn_of_alike(base: Backbone, features: Array, progress: Progress) -> None:
    """Warn of a network whose features are almost the same for all photos."""
    deepest = features[:, base.columns(len(base.taps) - 1)].astype(np.float64)
    size = np.sqrt(np.mean(deepest**2))
    spread = float(np.sqrt(np.mean(deepest.var(axis=0))) / size) if size else 0.0
    if spread < _LEAST_SPREAD:
        low, high = base.input.value_range
        progress.warn(
            f"the features of {base.name} differ by only {spread:.2%} between these photos; it is "
            f"fed pixel values {low:g}…{high:g}: if it was trained on others, give these with "
            "--value-range"
        )


def _is_named_heic(name: str) -> bool:
    return name.lower().endswith((".heic", ".heif"))
