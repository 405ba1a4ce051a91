"""Judges answers where a photo may have several labels: mAP and F1 with their intervals.

Every figure is in 0…1 and has a 95 % interval by the bootstrap over photos (B. Efron, "Bootstrap
methods: another look at the jackknife", Ann. Stat. 7 (1979) 1-26), always with the same samples.
With few photos a bootstrap may show no spread at all. So the interval is never narrower than
Wilson's would be for a share of 1 on as many photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.metrics.intervals import wilson
from toolchain.records.multi_label import Figure, Loss, MultiLabel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Array = np.ndarray[Any, Any]

_SAMPLES = 1000  # of the bootstrap; chosen, not measured
_SEED = 15
_LARGEST = 1 << 21  # numbers in one array, at most; for more, samples are drawn in several parts
_LIMITS = (0.025, 0.975)
_DIGITS = 6  # decimals of a figure, because its last bits depend on the processor


def average_precision(scores: Array, truth: Array) -> float:
    """Return the area under the precision-recall curve, as steps: Σ (R_k - R_k-1) P_k.

    This is scikit-learn's definition. Photos with equal scores count as found at once.

    Args:
        scores: Scores of one label, float `[photos]`.
        truth: Whether each photo has the label, bool `[photos]`.

    Raises:
        ValueError: No photo has the label, or the shapes do not match.
    """
    if scores.shape != truth.shape or scores.ndim != 1:
        raise ValueError(f"scores of shape {scores.shape} do not fit truth of {truth.shape}")
    if not truth.any():
        raise ValueError("no photo has the label")
    ranking = _Ranking.of(scores, truth)
    return float(ranking.average_precision(np.ones((1, len(scores))))[0])


def judge(
    scores: Array,
    truth: Array,
    reference: Array | None = None,
    *,
    threshold: float,
    known: Array | None = None,
) -> MultiLabel:
    """Judge scores for photos that may have several labels, or none.

    Args:
        scores: Float `[photos, labels]` in 0…1, as the page shows them.
        truth: Whether each photo has each label, bool `[photos, labels]`.
        reference: The reference's scores, float `[photos, labels]`.
        threshold: The score from which a label counts as found.
        known: For which labels `truth` is known, bool `[labels]`; None for all.

    Raises:
        ValueError: There are no photos, no photo has a label, the shapes do not match, or a score
            is not finite.
    """
    _check(scores, truth, reference)
    if known is not None:
        scores, truth = scores[:, known], truth[:, known]
        reference = None if reference is None else reference[:, known]
    if not truth.any():
        raise ValueError("no photo has a label")
    count = len(scores)
    model = _Figures.of(scores, truth, threshold)
    other = None if reference is None else _Figures.of(reference, truth, threshold)
    samples = list(_samples(count))
    drawn = model.over(samples)
    drawn_other = None if other is None else other.over(samples)
    once = [np.ones((1, count))]
    own = model.over(once)[:, 0]
    others = None if other is None else other.over(once)[:, 0]
    figures = [
        _figure(
            (own[place], drawn[place]),
            None if others is None or drawn_other is None else (others[place], drawn_other[place]),
            count,
        )
        for place in range(len(own))
    ]
    return MultiLabel(
        photos=count,
        labels=int(truth.any(axis=0).sum()),
        positives=int(truth.sum()),
        threshold=threshold,
        mean_average_precision=figures[0],
        f1_micro=figures[1],
        f1_macro=figures[2],
    )


def _check(scores: Array, truth: Array, reference: Array | None) -> None:
    if scores.ndim != 2 or 0 in scores.shape:  # noqa: PLR2004 - a row a photo
        raise ValueError(f"scores have the shape {scores.shape}, not [photos, labels]")
    for given in (truth, reference):
        if given is not None and given.shape != scores.shape:
            raise ValueError(f"{scores.shape} scores cannot be compared with {given.shape}")
    for given in (scores, reference):
        if given is not None and not np.isfinite(given).all():
            raise ValueError("some scores are not finite numbers")


def _samples(count: int) -> Iterator[Array]:
    """Yield, in several parts, how often each photo is in each sample, `[samples, photos]`."""
    random = np.random.default_rng(_SEED)
    part = max(1, _LARGEST // count)
    for start in range(0, _SAMPLES, part):
        size = min(part, _SAMPLES - start)
        places = random.integers(0, count, (size, count)) + count * np.arange(size)[:, None]
        yield np.bincount(places.ravel(), minlength=size * count).reshape(size, count)


@dataclass(frozen=True)
class _Ranking:
    """The photos in the order of a label's scores."""

    order: Array
    """Indices of the photos, the highest score first, `[photos]`."""
    ends: Array
    """Indices in `order` of the last photo of each group with equal scores."""
    truth: Array
    """Whether each photo has the label, bool `[photos]`, in that order."""

    @classmethod
    def of(cls, scores: Array, truth: Array) -> _Ranking:
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
        return cls(order, ends, truth[order])

    def average_precision(self, weights: Array) -> Array:
        """Return the average precision for each row of weights, `[rows]`; NaN without the label.

        Args:
            weights: How often each photo counts, `[rows, photos]`.
        """
        ranked = weights[:, self.order]
        found = np.cumsum(ranked * self.truth, axis=1)[:, self.ends]
        seen = np.cumsum(ranked, axis=1)[:, self.ends]
        steps = np.diff(found, axis=1, prepend=0)
        areas = (steps * found / np.maximum(seen, 1)).sum(axis=1)
        return _ratio(areas, found[:, -1])


@dataclass(frozen=True)
class _Figures:
    """What the figures are computed from."""

    rankings: tuple[_Ranking, ...]
    """One for each label that some photo has."""
    hits: Array
    """1 for each label that is found and right, float `[photos, labels]`."""
    marks: Array
    """1 for each label that is found, plus 1 for each that is right, float `[photos, labels]`."""
    present: Array
    """Whether some photo has the label, bool `[labels]`."""

    @classmethod
    def of(cls, scores: Array, truth: Array, threshold: float) -> _Figures:
        present = truth.any(axis=0)
        found = scores >= threshold
        return cls(
            tuple(_Ranking.of(scores[:, at], truth[:, at]) for at in np.flatnonzero(present)),
            (found & truth).astype(np.float64),
            found.astype(np.float64) + truth,
            present,
        )

    def over(self, samples: Sequence[Array]) -> Array:
        """Return mAP, micro F1 and macro F1 for each sample, `[3, samples]`."""
        return np.concatenate([self._over(weights) for weights in samples], axis=1)

    def _over(self, weights: Array) -> Array:
        precisions = [ranking.average_precision(weights) for ranking in self.rankings]
        hits, marks = weights @ self.hits, weights @ self.marks
        each = _ratio(2 * hits, marks)[:, self.present]
        return np.stack(
            [
                _mean(np.stack(precisions, axis=1)),
                _ratio(2 * hits.sum(axis=1), marks.sum(axis=1)),
                _mean(each),
            ]
        )


def _ratio(part: Array, whole: Array) -> Array:
    """Divide; the result is NaN where the divisor is 0."""
    ratio: Array = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole != 0)
    return ratio


def _mean(values: Array) -> Array:
    """Return the mean of each row, `[rows]`, ignoring NaN."""
    there = ~np.isnan(values)
    return _ratio(np.where(there, values, 0).sum(axis=1), there.sum(axis=1))


def _figure(own: tuple[float, Array], other: tuple[float, Array] | None, photos: int) -> Figure:
    value, drawn = own
    # The distance of Wilson's lower limit from 1, for a share of 1 on as many photos.
    least = 1 - wilson(photos, photos)[0]
    low, high = _limits(value, drawn, (value * least, (1 - value) * least))
    if other is None:
        drop = reference = None
    else:
        reference = round(float(other[0]), _DIGITS)
        lost = other[0] - value
        down, up = _limits(lost, other[1] - drawn, (least, least))
        drop = Loss(
            points=round(100 * float(lost), _DIGITS),
            low=round(100 * max(-1.0, down), _DIGITS),
            high=round(100 * min(1.0, up), _DIGITS),
        )
    return Figure(
        value=round(float(value), _DIGITS),
        low=round(max(0.0, low), _DIGITS),
        high=round(min(1.0, high), _DIGITS),
        reference=reference,
        drop=drop,
    )


def _limits(value: float, drawn: Array, least: tuple[float, float]) -> tuple[float, float]:
    """Return the interval of a figure, on each side at least as wide as `least`."""
    low, high = np.nanquantile(drawn, _LIMITS)
    return min(float(low), float(value) - least[0]), max(float(high), float(value) + least[1])
