"""Which photos serve for what: none that a plan was rounded by does it answer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolchain.photos.photo_folder import Photos, find

if TYPE_CHECKING:
    from toolchain.quantize.settings import QuantizeSettings

_JUDGED = 250  # photos to judge by: more take longer than they bring
_HELD_OUT = 50  # of the calibration photos at least, where half of them is as many
_SHARE = 5  # one of so many is held out of a larger number


@dataclass(frozen=True)
class Selection:
    """Which photos serve for what; None: there are none."""

    rounding: Photos | None
    """All that the final plan is rounded by, in a random order."""
    judging: Photos | None
    """None of them is rounded by."""
    holds_out: bool
    """Whether, for want of others, the last of the rounding photos judge plans that are
    rounded by the first; the final plan is rounded by all, at the same bits."""
    left_out: int = 0
    """Calibration photos that there is no room for to round by."""

    @property
    def is_blind(self) -> bool:
        """Whether there is no photo to judge by."""
        return self.judging is None and not self.holds_out


def held_out(count: int) -> int:
    """Return how many of so many calibration photos are held out to judge by."""
    return min(_JUDGED, max(count // _SHARE, min(_HELD_OUT, count // 2)))


def select(options: QuantizeSettings, most: int | None = None) -> Selection:
    """Choose the photos to round by and those to judge by, without reading them.

    Args:
        options: The folders, and the seed of the order.
        most: How many photos there is room for to round by; None: all.

    Raises:
        BadInputError: A folder of photos cannot be used.
    """
    rounding = judging = None
    left: list[int] = []
    if options.calibration is not None:
        photos = find(options.calibration)
        order = np.random.default_rng(options.seed).permutation(len(photos.paths)).tolist()
        rounding, left = _some(photos, order[:most]), order[len(order[:most]) :]
        if len(left) >= _HELD_OUT:
            judging = _some(photos, left[:_JUDGED])
    if options.evaluation is not None:
        photos = find(options.evaluation)
        drawn = set() if rounding is None else set(rounding.paths)
        rest = [place for place, path in enumerate(photos.paths) if path not in drawn]
        # Where most of them are rounded by, it is one set of photos that was given twice.
        if rounding is None or len(rest) >= min(_HELD_OUT, len(photos.paths) / 2):
            judging = _some(photos, rest).limited(_JUDGED)
    holds_out = judging is None and rounding is not None and len(rounding.paths) > 1
    return Selection(rounding, judging, holds_out, len(left))


def _some(photos: Photos, places: list[int]) -> Photos:
    classes = photos.classes
    return Photos(
        photos.folder,
        tuple(photos.paths[place] for place in places),
        None if classes is None else tuple(classes[place] for place in places),
    )
