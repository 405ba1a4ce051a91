"""What a network's answers are worth where a photo may have several labels."""

from __future__ import annotations

from toolchain.records.record import Record


class Loss(Record):
    """The reference's figure less the model's, in points, on the same photos."""

    points: float
    low: float
    high: float


class Figure(Record):
    """A figure in 0…1 with its 95 % interval."""

    value: float
    low: float
    high: float
    reference: float | None
    """The reference's, in 0…1; None where there is none."""
    drop: Loss | None


class MultiLabel(Record):
    """How well a model finds the labels of photos that may have several."""

    photos: int
    labels: int
    """Labels that at least one of the photos has; the means go over these."""
    positives: int
    """Labels of all photos together."""
    threshold: float
    """The score from which on a label counts as found, for F1."""
    mean_average_precision: Figure
    """Mean of the labels' average precisions (mAP)."""
    f1_micro: Figure
    """F1 of all labels of all photos together, false ones of other labels too."""
    f1_macro: Figure
    """Mean of the labels' F1."""
