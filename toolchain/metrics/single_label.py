"""Judges answers where a photo has one label, from a model's outputs: top-1, top-5 and drop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.metrics import expectation
from toolchain.metrics.intervals import newcombe, rare_losses
from toolchain.metrics.scores import softmax
from toolchain.metrics.shares import share_of
from toolchain.records.verdict import Drop, Expected, ScoreChange, Verdict

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_FEW = 5  # the number of labels in top-5, and on the page
_DIGITS = 6  # decimals of a figure, because its last bits depend on the processor
_LEAST_CHANGE = 0.01  # assumed change of one more photo if none changed more; chosen, not measured


def judge(
    logits: Array, truth: Array | None = None, reference_logits: Array | None = None
) -> Verdict:
    """Judge logits by the truth, by the reference's logits for the same photos, or by both.

    Args:
        logits: Float `[n, labels]`, one row for each photo, without a background class.
        truth: Index of the right label of each photo, int `[n]`.
        reference_logits: The reference's logits, float `[n, labels]`.

    Raises:
        ValueError: There are no photos, the shapes do not match, or a number is not finite.
    """
    reference = None if reference_logits is None else softmax(reference_logits)
    return judge_scores(softmax(logits), truth, reference)


def judge_scores(
    scores: Array,
    truth: Array | None = None,
    reference: Array | None = None,
    *,
    multi_label: bool = False,
) -> Verdict:
    """Judge scores in 0…1, as the page shows them; otherwise like :func:`judge`.

    Args:
        scores: Float `[n, labels]`.
        truth: Index of the right label of each photo, int `[n]`.
        reference: The reference's scores, float `[n, labels]`.
        multi_label: Whether a photo may have several labels, with independent scores. The verdict
            then has the change of all scores instead of figures about the first label.

    Raises:
        ValueError: There are no photos, the shapes do not match, or a number is not finite.
    """
    _check(scores, truth, reference)
    first = scores.argmax(axis=1)
    right = None if truth is None else first == truth
    reference_right = drop = agreement = shift = expected = change = None
    if reference is not None:
        wanted = reference.argmax(axis=1)
        rows = np.arange(len(scores))
        shift = round(float(np.abs(scores[rows, wanted] - reference[rows, wanted]).mean()), _DIGITS)
        if multi_label:
            change = score_change(scores, reference)
        else:
            agreement = share_of(first == wanted)
            expected = expected_drop(scores, reference, truth)
        if truth is not None and right is not None:
            reference_right = wanted == truth
            drop = _drop(reference_right, right)
    return Verdict(
        photos=len(scores),
        top1=None if right is None else share_of(right),
        top5=None if truth is None else share_of(_ranks(scores, truth) < _FEW),
        reference_top1=None if reference_right is None else share_of(reference_right),
        drop=drop,
        agreement=agreement,
        score_shift=shift,
        expected_drop=expected,
        score_change=change,
    )


def expected_drop(
    scores: Array,
    reference: Array,
    truth: Array | None = None,
    *,
    others: Array | None = None,
    others_truth: Array | None = None,
    others_scores: Array | None = None,
    magnified: float = 1.0,
) -> Expected:
    """Return the expected drop in top-1 from a change of scores, in points.

    Args:
        scores: The model's scores, float64 `[n, labels]` in 0…1.
        reference: The reference's scores for the same photos.
        truth: Index of the right label of the first photos, `[at most n]`; None if not known.
        others: The reference's scores for more photos of the same kind, `[m, labels]`; the model
            may have been made with these photos.
        others_truth: Index of their right labels, `[m]`.
        others_scores: The model's scores for the first of them, `[at most m, labels]`.
        magnified: Factor for all errors, if they are known to be larger or smaller.
    """
    labelled = [
        (known[: len(right)], right)
        for known, right in ((reference, truth), (others, others_truth))
        if known is not None and right is not None
    ]
    sharpness = expectation.UNKNOWN
    if labelled:
        sharpness = expectation.temperature(
            np.concatenate([known for known, _ in labelled]),
            np.concatenate([right for _, right in labelled]),
        )
    loss = expectation.expected_loss(
        scores, reference, sharpness, others, others_scores, magnified=magnified
    )
    return Expected(
        points=round(100 * loss.value, _DIGITS),
        low=round(100 * loss.low, _DIGITS),
        high=round(100 * loss.high, _DIGITS),
    )


def score_change(scores: Array, reference: Array) -> ScoreChange:
    """Return how much the scores of all labels have changed.

    Args:
        scores: The model's scores, float64 `[n, labels]` in 0…1.
        reference: The reference's scores for the same photos.
    """
    changed: Array = ((scores - reference) ** 2).sum(axis=1)
    whole: Array = (np.maximum(scores, reference) ** 2).sum(axis=1)
    tiny = 1e-12  # prevents a division by 0 if all scores are 0
    total = max(float(whole.sum()), tiny)
    value = float(changed.sum()) / total
    # The variance of a ratio of two means, from the photos' deviations from it (Cochran, Sampling
    # techniques, § 6.4).
    variance = float(((changed - value * whole) ** 2).sum()) / total**2
    most = float((changed / np.maximum(whole, tiny)).max())
    low, high = rare_losses(value, variance, one=max(most, _LEAST_CHANGE) / len(scores))
    most_points = round(100 * min(1.0, high), _DIGITS)
    return ScoreChange(
        points=round(100 * value, _DIGITS),
        # Rounding must not make the interval's width zero.
        low=max(0.0, min(round(100 * low, _DIGITS), most_points - 10**-_DIGITS)),
        high=most_points,
    )


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
            raise ValueError("some scores are not finite numbers")


def _ranks(scores: Array, truth: Array) -> Array:
    """Return the rank of each right label, int `[n]` from 0; equal scores keep their order."""
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    before = np.arange(scores.shape[1]) < truth[:, None]
    ranks: Array = ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return ranks


def _drop(reference_right: Array, right: Array) -> Drop:
    both = int((reference_right & right).sum())
    lost = int((reference_right & ~right).sum())
    won = int((~reference_right & right).sum())
    low, high = newcombe(both, lost, won, len(right) - both - lost - won)
    return Drop(
        points=100 * (lost - won) / len(right), low=100 * low, high=100 * high, lost=lost, won=won
    )
