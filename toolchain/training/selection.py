"""Chooses base, depth and C by cross-validation: the fewest bytes that are nearly as good."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.records.training import SAME_SIZE
from toolchain.training import cross_validation, logistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.progress import Progress
    from toolchain.training.backbone import Backbone
    from toolchain.training.cross_validation import OutOfFold
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

# What `build` makes of a weight, and of the rest of a model. For six cuts of the embedded network
# trained on the photo sets of docs/train.md it took 2.1 to 3.3 bits a weight, 2.5 in the median,
# and 6 to 11 kB.
_BITS = 2.5
_REST = 9_000
_PAIRS = 4  # the deepest taps, each of which is also tried side by side with earlier ones. Chosen
# Of fits to compare by: on the flowers of docs/train.md the same photos are right as with 1e-5.
_TOLERANCE = 3e-4
_MOST = 4000  # photos to compare by; more change the choice less than a point. Chosen


@dataclass(frozen=True)
class Cut:
    """A base network cut at one depth, or at two side by side."""

    base: int
    """Index of the base network."""
    taps: tuple[int, ...]
    """Indices of its taps, from the first to the last."""


@dataclass(frozen=True)
class Compared:
    """A cut, and how well its features tell the tags apart."""

    cut: Cut
    found: OutOfFold
    loss: float
    """Out of fold, as :func:`toolchain.training.cross_validation.loss` says."""
    right: Array
    """Which photos are tagged right out of fold, bool `[photos]`."""
    parameters: int
    expected_bytes: int
    width: int

    @property
    def accuracy(self) -> float:
        """Share of photos that are tagged right."""
        return float(self.right.mean())


def described(base: Backbone, taps: Sequence[int]) -> str:
    """Return a cut in words: `block 12 of 17`."""
    blocks = [str(base.taps[index].block) for index in taps]
    word = "block" if len(blocks) == 1 else "blocks"
    return f"{word} {' + '.join(blocks)} of {base.blocks}"


def cuts_of(bases: Sequence[Backbone], depth: int | None) -> list[Cut]:
    """Return all cuts to compare: every tap, and the deepest ones with an earlier one.

    Args:
        bases: The base networks.
        depth: A block to cut at; None for all.

    Raises:
        BadInputError: No base network has a tap at this block.
    """
    found: list[Cut] = []
    for index, base in enumerate(bases):
        places = range(len(base.taps))
        if depth is not None:
            found += [Cut(index, (each,)) for each in places if base.taps[each].block == depth]
            continue
        found += [Cut(index, (each,)) for each in places]
        pairs = [pair for pair in combinations(places, 2) if pair[1] >= len(places) - _PAIRS]
        found += [Cut(index, pair) for pair in pairs if pair[0] >= len(places) // 3]
    if not found:
        known = sorted({tap.block for base in bases for tap in base.taps})
        raise BadInputError(
            f"no base network can be cut at block {depth}; --depth is one of "
            f"{', '.join(map(str, known))}, or auto"
        )
    return found


def features_of(cut: Cut, bases: Sequence[Backbone], features: Sequence[Array]) -> Array:
    """Return the features of a cut, float32 `[photos, width]`."""
    base, rows = bases[cut.base], features[cut.base]
    return np.concatenate([rows[:, base.columns(tap)] for tap in cut.taps], axis=1)


def rotated(cut: Cut, bases: Sequence[Backbone], features: Sequence[Array]) -> logistic.Rotated:
    """Return the features of a cut in coordinates of their own."""
    widths = tuple(bases[cut.base].taps[tap].width for tap in cut.taps)
    return logistic.rotate(features_of(cut, bases, features), split=widths)


def compare(
    cuts: Sequence[Cut],
    bases: Sequence[Backbone],
    features: Sequence[Array],
    photos: PhotoSet,
    folds: Array,
    progress: Progress,
) -> list[Compared]:
    """Judge each cut out of fold, with the C that is best for it.

    Args:
        cuts: The cuts.
        bases: The base networks.
        features: Of each base, float32 `[photos, width]`.
        photos: The photos and their tags.
        folds: The fold of each photo, int `[photos]`.
        progress: Advances with each cut.

    Returns:
        The cuts from the fewest bytes to the most.
    """
    kept = _some(photos, folds)
    truth, few = photos.truth[kept], [each[kept] for each in features]
    found = []
    with progress.track("Comparing depths", len(cuts), "steps") as tracker:
        for cut in cuts:
            base = bases[cut.base]
            spun = rotated(cut, bases, few)
            results = cross_validation.outputs(
                spun, truth, folds[kept], task=photos.task, tolerance=_TOLERANCE
            )
            losses = [
                cross_validation.loss(each.outputs, truth, task=photos.task) for each in results
            ]
            best = results[int(np.argmin(losses))]
            width = sum(base.taps[tap].width for tap in cut.taps)
            parameters = base.taps[cut.taps[-1]].parameters + width * len(photos.tags)
            found.append(
                Compared(
                    cut,
                    best,
                    min(losses),
                    cross_validation.right(best.outputs, truth, task=photos.task),
                    parameters,
                    expected_bytes(parameters),
                    width,
                )
            )
            tracker.advance(1)
    return sorted(found, key=lambda each: (each.expected_bytes, each.cut.taps))


def expected_bytes(parameters: int) -> int:
    """Return roughly what `build` makes of a network with so many weights, in bytes."""
    return round(parameters * _BITS / 8) + _REST


def weights_in(size: int) -> int:
    """Return how many weights are expected to fit into so many bytes."""
    return max(0, round((size - _REST) * 8 / _BITS))


def choose(compared: Sequence[Compared], *, max_drop: float, max_bytes: int | None) -> Compared:
    """Return the cut of the fewest bytes within `max_drop` points of the best.

    Of cuts of nearly the same size the one with the least loss out of fold is taken, because the
    loss tells more than the few photos that only some of them tag right. On groceries of another
    visit that brings 85.0 % in place of 82.2, on flowers and trash no difference beyond chance.

    Args:
        compared: All cuts, from the fewest bytes to the most.
        max_drop: In points of accuracy.
        max_bytes: Of the built model; None for any size.

    Raises:
        BadInputError: No cut is so small.
    """
    allowed = [each for each in compared if max_bytes is None or each.expected_bytes <= max_bytes]
    if not allowed:
        least = compared[0].expected_bytes
        raise BadInputError(
            f"the smallest cut is expected to take {least:,} bytes, more than --max-bytes "
            f"{max_bytes:,}; allow more, or give a smaller network with --base"
        )
    best = max(each.accuracy for each in allowed)
    near = [each for each in allowed if each.accuracy >= best - max_drop / 100 - 1e-9]
    alike = [each for each in near if each.expected_bytes <= SAME_SIZE * near[0].expected_bytes]
    return min(alike, key=lambda each: each.loss)


def _some(photos: PhotoSet, folds: Array) -> Array:
    """Return indices of photos to compare by: all, or as many of each fold as suffice."""
    count = len(photos.photos)
    if count <= _MOST:
        return np.arange(count)
    # By tag and fold, and every n-th of these.
    order = np.lexsort((folds, photos.labels))
    found: Array = np.sort(order[np.linspace(0, count - 1, _MOST).astype(int)])
    return found
