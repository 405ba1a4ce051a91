"""Turns outputs for photos that a model has not learned from into figures."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.metrics.intervals import wilson
from toolchain.metrics.scores import scores_of
from toolchain.records.training import (
    MISTAKES,
    OF_A_PAIR,
    Accuracy,
    CalibrationBin,
    Mistake,
    TagFigures,
)
from toolchain.records.verdict import Share
from toolchain.training import temperature
from toolchain.training.cross_validation import right as tagged_right

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.records.card import Task

    Array = np.ndarray[Any, Any]


_DIGITS = 4


def share(hits: int, of: int) -> Share:
    """Return a share with its 95 % interval.

    Raises:
        ValueError: There is nothing to count.
    """
    low, high = wilson(hits, of)
    return Share(hits=hits, of=of, value=hits / of, low=low, high=high)


def accuracy(
    outputs: Array,
    truth: Array,
    tags: Sequence[str],
    names: Sequence[str],
    *,
    task: Task,
) -> Accuracy:
    """Judge outputs for photos that were not learned from.

    Args:
        outputs: Of the last layer, divided by the temperature, float `[photos, tags]`.
        truth: Bool `[photos, tags]`.
        tags: The tags.
        names: The photos' paths in their folder.
        task: Whether tags exclude each other.
    """
    right = tagged_right(outputs, truth, task=task)
    if task == "single-label":
        scores = scores_of(outputs, "softmax")
        given = np.zeros_like(truth)
        given[np.arange(len(truth)), outputs.argmax(axis=1)] = True
        sure, is_right = scores.max(axis=1), right
        confusion = truth.T.astype(int) @ given.astype(int)
    else:
        scores = scores_of(outputs, "sigmoid")
        given = outputs > 0
        # Each tag of each photo is an answer by itself.
        sure, is_right = scores.ravel(), truth.ravel()
        confusion = np.zeros((0, 0), int)
    rows = [
        CalibrationBin(low=low, high=high, photos=count, score=score, right=value)
        for low, high, count, score, value in temperature.bins(sure, is_right)
    ]
    return Accuracy(
        photos=len(truth),
        accuracy=share(int(right.sum()), len(truth)),
        tags=tuple(_of_tag(place, tag, given, truth) for place, tag in enumerate(tags)),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        mistakes=_mistakes(scores, given, truth, tags, names),
        calibration_error=temperature.calibration_error(sure, is_right),
        calibration=tuple(rows),
    )


def _of_tag(place: int, tag: str, given: Array, truth: Array) -> TagFigures:
    has, gets = truth[:, place], given[:, place]
    both = int((has & gets).sum())
    return TagFigures(
        tag=tag,
        photos=int(has.sum()),
        precision=share(both, int(gets.sum())) if gets.any() else None,
        recall=share(both, int(has.sum())) if has.any() else None,
    )


def _mistakes(
    scores: Array, given: Array, truth: Array, tags: Sequence[str], names: Sequence[str]
) -> tuple[Mistake, ...]:
    """List wrongly tagged photos; pairs of own and given tags that are frequent come first."""
    wrong = given != truth
    # How sure the model was: of a wrong tag, or that a missed one is not there.
    sure = np.where(wrong, np.where(given, scores, 1 - scores), 0).max(axis=1)
    if truth.sum(axis=1).max() <= 1 and given.sum(axis=1).max() <= 1:
        sure = np.where(wrong.any(axis=1), np.where(given, scores, 0).max(axis=1), 0)
    by_pair: dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]] = defaultdict(list)
    for place in np.argsort(-sure, kind="stable"):
        if wrong[place].any():
            pair = tuple(
                tuple(tags[tag] for tag in np.flatnonzero(row))
                for row in (truth[place], given[place])
            )
            by_pair[pair[0], pair[1]].append(int(place))
    found = []
    for (own, gets), places in sorted(by_pair.items(), key=lambda item: -len(item[1])):
        found += [
            Mistake(photo=names[at], tags=own, given=gets, score=round(float(sure[at]), _DIGITS))
            for at in places[:OF_A_PAIR]
        ]
    return tuple(found[:MISTAKES])
