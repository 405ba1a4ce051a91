"""The verdict on a model's answers where a photo has one label."""

from __future__ import annotations

from toolchain.records.record import Record


class Share(Record):
    """A share of the photos and its 95 % interval (Wilson 1927), in 0…1."""

    hits: int
    of: int
    value: float
    low: float
    high: float


class Drop(Record):
    """Top-1 of the reference minus that of the model, in points, on the same photos.

    The 95 % interval is that for paired shares (Newcombe 1998, method 10).
    """

    points: float
    low: float
    high: float
    lost: int
    """Photos whose first label only the reference gets right."""
    won: int
    """Photos whose first label only the model gets right."""


class Expected(Record):
    """The expected drop in top-1 from the change of scores, in points, with its 95 % interval.

    It needs no labels, and varies far less from one set of photos to another than a counted drop.
    :mod:`toolchain.metrics.expectation` explains how it is computed.
    """

    points: float
    low: float
    high: float


class ScoreChange(Record):
    """How much the scores of all labels have changed, in points, with its 95 % interval.

    It is the sum of (p - p_ref)² divided by the sum of max(p, p_ref)², both over all photos and
    labels. If the reference's scores are the true probabilities of the labels, this is the growth
    of the squared error (the Brier score), and about as large a share of the tags above a
    threshold is lost.
    """

    points: float
    low: float
    high: float


class Verdict(Record):
    """The figures that judging a model on photos gives; None for those that do not apply."""

    photos: int
    top1: Share | None
    top5: Share | None
    reference_top1: Share | None
    drop: Drop | None
    agreement: Share | None
    """Photos to which the model and the reference give the same first label."""
    score_shift: float | None
    """Mean of |p - p_ref| over the photos, where both are scores of the reference's first label."""
    expected_drop: Expected | None
    score_change: ScoreChange | None = None
    """For multi-label models, where not only the first label counts."""
