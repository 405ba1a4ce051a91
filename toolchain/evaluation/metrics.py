"""What a network's answers are worth: pure functions over its outputs, and their record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from toolchain.evaluation.intervals import newcombe, wilson

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_FEW = 5  # labels that the page shows, and that top-5 counts
_DIGITS = 6  # of the score shift: the last bits depend on the processor


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Share(_Record):
    """A share of the photos with its 95 % interval (Wilson 1927); all three in 0…1."""

    hits: int
    of: int
    value: float
    low: float
    high: float


class Drop(_Record):
    """Top-1 of the reference less that of the model, in points, on the same photos.

    The 95 % interval is that of paired shares (Newcombe 1998, method 10).
    """

    points: float
    low: float
    high: float
    lost: int
    """Photos that only the reference names rightly."""
    won: int
    """Photos that only the model names rightly."""


class Expected(_Record):
    """Points of top-1 that are lost if the reference's scores are the chances of being right.

    It needs no label, and varies less from one set of photos to another than a drop that
    is counted. The 95 % interval is the mean's.
    """

    points: float
    low: float
    high: float


class Verdict(_Record):
    """All that was judged; None where there was nothing to judge it by."""

    photos: int
    top1: Share | None
    top5: Share | None
    reference_top1: Share | None
    drop: Drop | None
    agreement: Share | None
    """Photos to which the model and the reference give the same first label."""
    score_shift: float | None
    """Mean of |p - p_ref|, where both are the score of the reference's first label."""
    expected_drop: Expected | None


def judge(
    logits: Array, truth: Array | None = None, reference_logits: Array | None = None
) -> Verdict:
    """Judge logits by the truth, by another network's logits of the same photos, or both.

    Args:
        logits: Float `[n, labels]`, a row a photo, without a background class.
        truth: Whole numbers `[n]`: the index of the right label of each photo.
        reference_logits: Float `[n, labels]` of the reference.

    Raises:
        ValueError: There is no photo, the shapes do not fit, or a number is not finite.
    """
    reference = None if reference_logits is None else softmax(reference_logits)
    return judge_scores(softmax(logits), truth, reference)


def judge_scores(
    scores: Array, truth: Array | None = None, reference: Array | None = None
) -> Verdict:
    """Judge scores in 0…1 as the page shows them; otherwise as :func:`judge`.

    Args:
        scores: Float `[n, labels]`.
        truth: Whole numbers `[n]`.
        reference: Float `[n, labels]`, the reference's scores.

    Raises:
        ValueError: There is no photo, the shapes do not fit, or a number is not finite.
    """
    _check(scores, truth, reference)
    first = scores.argmax(axis=1)
    right = None if truth is None else first == truth
    reference_right = drop = agreement = shift = expected = None
    if reference is not None:
        wanted = reference.argmax(axis=1)
        rows = np.arange(len(scores))
        agreement = _share(first == wanted)
        shift = round(float(np.abs(scores[rows, wanted] - reference[rows, wanted]).mean()), _DIGITS)
        expected = _expected(reference[rows, wanted] - reference[rows, first])
        if truth is not None and right is not None:
            reference_right = wanted == truth
            drop = _drop(reference_right, right)
    return Verdict(
        photos=len(scores),
        top1=None if right is None else _share(right),
        top5=None if truth is None else _share(_ranks(scores, truth) < _FEW),
        reference_top1=None if reference_right is None else _share(reference_right),
        drop=drop,
        agreement=agreement,
        score_shift=shift,
        expected_drop=expected,
    )


def softmax(logits: Array) -> Array:
    """Return the softmax of each row in double precision, safe against large logits.

    Args:
        logits: Float `[n, classes]`.

    Returns:
        Float64 `[n, classes]`.
    """
    wide = np.asarray(logits, np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _check(scores: Array, truth: Array | None, reference: Array | None) -> None:
    if scores.ndim != 2 or 0 in scores.shape:  # noqa: PLR2004 - a row a photo
        raise ValueError(f"scores have the shape {scores.shape}, not [photos, labels]")
    if truth is not None:
        if truth.shape != scores.shape[:1]:
            raise ValueError(f"there are {len(scores)} photos and truth of shape {truth.shape}")
        if truth.min() < 0 or truth.max() >= scores.shape[1]:
            raise ValueError(f"the truth names a label beyond the {scores.shape[1]} there are")
    if reference is not None and reference.shape != scores.shape:
        raise ValueError(f"{scores.shape} scores cannot be compared with {reference.shape}")
    for given in (scores, reference):
        if given is not None and not np.isfinite(given).all():
            raise ValueError("some scores are no finite numbers")


def _ranks(scores: Array, truth: Array) -> Array:
    """Return the place of each right label, int `[n]` from 0; of equal scores the first wins."""
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    before = np.arange(scores.shape[1]) < truth[:, None]
    ranks: Array = ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return ranks


def _share(hits: Array) -> Share:
    count, total = int(hits.sum()), len(hits)
    low, high = wilson(count, total)
    return Share(hits=count, of=total, value=count / total, low=low, high=high)


def _expected(lost: Array) -> Expected:
    points = 100 * float(lost.mean())
    half = 100 * 1.96 * float(lost.std()) / len(lost) ** 0.5
    return Expected(
        points=round(points, _DIGITS),
        low=round(max(0.0, points - half), _DIGITS),
        high=round(points + half, _DIGITS),
    )


def _drop(reference_right: Array, right: Array) -> Drop:
    both = int((reference_right & right).sum())
    lost = int((reference_right & ~right).sum())
    won = int((~reference_right & right).sum())
    low, high = newcombe(both, lost, won, len(right) - both - lost - won)
    return Drop(
        points=100 * (lost - won) / len(right), low=100 * low, high=100 * high, lost=lost, won=won
    )
