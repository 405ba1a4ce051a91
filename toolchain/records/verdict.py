"""What a network's answers are worth where a photo has one label."""

from __future__ import annotations

from toolchain.records.record import Record


class Share(Record):
    """A share of the photos with its 95 % interval (Wilson 1927); all three in 0…1."""

    hits: int
    of: int
    value: float
    low: float
    high: float


class Drop(Record):
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


class Expected(Record):
    """Points of top-1 that the change of scores is expected to cost, without counting labels.

    It varies far less from one set of photos to another than a drop that is counted. How it is
    computed, and its 95 % interval: :mod:`toolchain.metrics.expectation`.
    """

    points: float
    low: float
    high: float


class ScoreChange(Record):
    """What the change of all labels' scores costs, in points, with its 95 % interval.

    The sum of (p - p_ref)² over the sum of max(p, p_ref)², over photos and labels. If the
    reference's scores are the chances of each label, that is how much the squared error (the
    Brier score) grows; of tags over a threshold about as large a share is then lost.
    """

    points: float
    low: float
    high: float


class Verdict(Record):
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
    score_change: ScoreChange | None = None
    """Where labels have scores of their own, so that the first label is not all that counts."""
