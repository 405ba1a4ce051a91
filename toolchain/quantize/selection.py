"""Decides which photos to round by and which to judge by. No photo serves for both at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolchain.photos.photo_folder import Photos, find, without_none

if TYPE_CHECKING:
    from toolchain.quantize.settings import QuantizeSettings

# Chosen, not measured.
_JUDGED = 250  # photos to judge by, at most
_HELD_OUT = 50  # least number of calibration photos held out, but never more than half
_SHARE = 5  # one in this many calibration photos is held out, where that is more


@dataclass(frozen=True)
class Selection:
    """Photos to round by and to judge by; None where there are none."""

    rounding: Photos | None
    """All photos that the final plan is rounded by, in random order."""
    judging: Photos | None
    """Photos that nothing is rounded by."""
    holds_out: bool
    """Whether there are no other photos to judge by. Then candidates are rounded by the first
    rounding photos and judged by the last; the final plan is rounded by all, at the same bits."""
    left_out: int = 0
    """Number of calibration photos that do not fit into memory for rounding."""

    @property
    def is_blind(self) -> bool:
        """Whether there are no photos to judge by."""
        return self.judging is None and not self.holds_out


def held_out(count: int) -> int:
    """Return how many of `count` calibration photos are held out to judge by."""
    return min(_JUDGED, max(count // _SHARE, min(_HELD_OUT, count // 2)))


def select(
    options: QuantizeSettings, most: int | None = None, labels: tuple[str, ...] = ()
) -> Selection:
    """Choose the photos to round by and those to judge by, without reading them.

    Args:
        options: The folders, and the seed of the order.
        most: How many photos to round by fit into memory; None for all.
        labels: The model's labels; photos of the folder `none` are left out.

    Raises:
        BadInputError: A folder of photos cannot be used.
    """
    rounding = judging = None
    left: list[int] = []
    if options.calibration is not None:
        photos = without_none(find(options.calibration), labels)
        order = np.random.default_rng(options.seed).permutation(len(photos.paths)).tolist()
        rounding, left = _subset(photos, order[:most]), order[len(order[:most]) :]
        if len(left) >= _HELD_OUT:
            judging = _subset(photos, left[:_JUDGED])
    if options.evaluation is not None:
        photos = without_none(find(options.evaluation), labels)
        drawn = set() if rounding is None else set(rounding.paths)
        rest = [place for place, path in enumerate(photos.paths) if path not in drawn]
        # If most of them are already rounded by, the user gave the same photos twice.
        if rounding is None or len(rest) >= min(_HELD_OUT, len(photos.paths) / 2):
            judging = _subset(photos, rest).limited(_JUDGED)
    holds_out = judging is None and rounding is not None and len(rounding.paths) > 1
    return Selection(rounding, judging, holds_out, len(left))


def _subset(photos: Photos, places: list[int]) -> Photos:
    classes = photos.classes
    return Photos(
        photos.folder,
        tuple(photos.paths[place] for place in places),
        None if classes is None else tuple(classes[place] for place in places),
    )
