"""The verdict on a model's answers where a photo may have several labels."""

from __future__ import annotations

from toolchain.records.record import Record


class Loss(Record):
    """The reference's figure minus the model's, in points, on the same photos."""

    points: float
    low: float
    high: float


class Figure(Record):
    """A figure in 0…1 with its 95 % interval."""

    value: float
    low: float
    high: float
    reference: float | None
    """The reference's figure, in 0…1; None if there is no reference."""
    drop: Loss | None


class MultiLabel(Record):
    """How well a model finds the labels of photos that may have several."""

    photos: int
    labels: int
    """Number of labels that at least one photo has; the means are taken over these."""
    positives: int
    """Number of labels of all photos together."""
    threshold: float
    """For F1: the score from which a label counts as found."""
    mean_average_precision: Figure
    """Mean of the labels' average precisions (mAP)."""
    f1_micro: Figure
    """F1 over all labels of all photos; wrongly found labels that no photo has count too."""
    f1_macro: Figure
    """Mean of the labels' F1."""
