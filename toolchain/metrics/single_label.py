"""What a network's answers are worth: pure functions over its outputs, and their record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.metrics import expectation
from toolchain.metrics.intervals import newcombe, rare_losses, wilson
from toolchain.metrics.scores import softmax
from toolchain.records.verdict import Drop, Expected, ScoreChange, Share, Verdict

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_FEW = 5  # labels that the page shows, and that top-5 counts
_DIGITS = 6  # of the score shift: the last bits depend on the processor
_LEAST_CHANGE = 0.01  # of one more photo's scores, where none changed more


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
    scores: Array,
    truth: Array | None = None,
    reference: Array | None = None,
    *,
    multi_label: bool = False,
) -> Verdict:
    """Judge scores in 0…1 as the page shows them; otherwise as :func:`judge`.

    Args:
        scores: Float `[n, labels]`.
        truth: Whole numbers `[n]`.
        reference: Float `[n, labels]`, the reference's scores.
        multi_label: Whether a photo may have several labels, each with a score of its own. The
            change of all scores then stands in place of what is said of the first label.

    Raises:
        ValueError: There is no photo, the shapes do not fit, or a number is not finite.
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
            agreement = _share(first == wanted)
            expected = expected_drop(scores, reference, truth)
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
    """Return the points of top-1 that a change of scores is expected to cost.

    Args:
        scores: The model's, float64 `[n, labels]` in 0…1.
        reference: The reference's, of the same photos.
        truth: Index of the right label of the first photos, `[at most n]`; None: not known.
        others: The reference's scores of more photos of the same kind, `[m, labels]`, which may
            be those that the model was made by.
        others_truth: Index of their right labels, `[m]`.
        others_scores: The model's scores of the first of them, `[at most m, labels]`.
        magnified: What errors are multiplied by, where they are known to be larger or smaller.
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
    """Return what the change of all labels' scores costs.

    Args:
        scores: The model's, float64 `[n, labels]` in 0…1.
        reference: The reference's, of the same photos.
    """
    changed: Array = ((scores - reference) ** 2).sum(axis=1)
    whole: Array = (np.maximum(scores, reference) ** 2).sum(axis=1)
    tiny = 1e-12  # where no label has a score at all
    total = max(float(whole.sum()), tiny)
    value = float(changed.sum()) / total
    # A ratio of two means: its variance is that of what each photo is off it (Cochran, Sampling
    # techniques, § 6.4).
    variance = float(((changed - value * whole) ** 2).sum()) / total**2
    most = float((changed / np.maximum(whole, tiny)).max())
    low, high = rare_losses(value, variance, one=max(most, _LEAST_CHANGE) / len(scores))
    most_points = round(100 * min(1.0, high), _DIGITS)
    return ScoreChange(
        points=round(100 * value, _DIGITS),
        # Rounding must not take the interval's width.
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


def _drop(reference_right: Array, right: Array) -> Drop:
    both = int((reference_right & right).sum())
    lost = int((reference_right & ~right).sum())
    won = int((~reference_right & right).sum())
    low, high = newcombe(both, lost, won, len(right) - both - lost - won)
    return Drop(
        points=100 * (lost - won) / len(right), low=100 * low, high=100 * high, lost=lost, won=won
    )
