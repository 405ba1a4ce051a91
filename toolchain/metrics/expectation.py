"""The top-1 that a change of scores is expected to cost, from the scores alone.

Counting the photos whose first label changed is a matter of luck where a few of a hundred do.
So every photo's scores are tried with the errors that the model makes on every other photo,
label by label in the order of their scores: of n photos that makes n² trials, and photos that
stand near a tie tell what they would lose, whether or not they happened to flip.

What a flip costs is the chance that the reference's first label is the right one, less that of
the label that took its place. Small networks give their first label less than the chance it
has, so their scores are sharpened by a temperature (Guo et al. 2017, arXiv:1706.04599): fitted
where photos have labels, else taken from what such networks have been found to need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.metrics.intervals import rare_losses

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_LABELS = 12  # of each photo's highest: further down none comes first by rounding's errors
_ERRORS = 256  # photos whose errors are tried on the others
_FITTED = 2000  # photos that a temperature is fitted to
_CHUNK = 64  # photos at a time
_LEAST_SCORE = 1e-12
_MOST_FITTED = 10.0  # times that errors on photos that a model was made by may be smaller
_MISLABELLED = 0.01  # share of the photos whose label may be anything

TEMPERATURE = 0.75
"""Where no label says it. On the same photos MobileNetV2's and EfficientNet-Lite0's was 0.66,
MobileNetV1 0.25's 0.92."""
TEMPERATURE_DEVIATION = 0.15
"""Of its logarithm: 95 % of such networks are taken to lie within 0.56 … 1.0."""
_FLIP = 0.18
"""What one more flip is taken to cost where none was seen to cost more: the net share of the
flips that eight sites' photos were found to lose by."""


@dataclass(frozen=True)
class Temperature:
    """What the logarithms of scores are divided by to make chances of them."""

    value: float
    deviation: float
    """Of its logarithm."""


@dataclass(frozen=True)
class Loss:
    """The expected loss of top-1, as a share of the photos, with its 95 % interval."""

    value: float
    low: float
    high: float


UNKNOWN = Temperature(TEMPERATURE, TEMPERATURE_DEVIATION)


def temperature(scores: Array, truth: Array) -> Temperature:
    """Fit a temperature to labelled photos; few of them move it little from the usual one.

    Args:
        scores: The reference's, float64 `[n, labels]` in 0…1.
        truth: Index of each photo's label, `[n]`.

    Returns:
        The most probable one, given the photos and :data:`UNKNOWN`.
    """
    chosen = _spread(len(scores), _FITTED)
    logarithms, right = _logarithms(scores[chosen]), truth[chosen]
    grid = np.log(TEMPERATURE) + np.linspace(-5, 5, 101) * TEMPERATURE_DEVIATION

    def misfit(logarithm: float) -> float:
        chances = _softmax(logarithms / np.exp(logarithm))[np.arange(len(right)), right]
        mixed = (1 - _MISLABELLED) * chances + _MISLABELLED / scores.shape[1]
        away = (logarithm - np.log(TEMPERATURE)) / TEMPERATURE_DEVIATION
        return float(away**2 / 2 - np.log(mixed).sum())

    weights = np.array([misfit(point) for point in grid])
    weights = np.exp(weights.min() - weights)
    weights /= weights.sum()
    mean = float(weights @ grid)
    return Temperature(float(np.exp(mean)), float(np.sqrt(weights @ (grid - mean) ** 2)))


def expected_loss(
    scores: Array,
    reference: Array,
    sharpness: Temperature = UNKNOWN,
    others: Array | None = None,
    others_scores: Array | None = None,
    *,
    magnified: float = 1.0,
) -> Loss:
    """Return the top-1 that the model is expected to lose against the reference.

    Args:
        scores: The model's, float64 `[n, labels]` in 0…1.
        reference: The reference's, of the same photos.
        sharpness: The reference's temperature.
        others: The reference's scores of more photos of the same kind, `[m, labels]`, which the
            model's errors are tried on too.
        others_scores: The model's scores of the first of those, `[at most m, labels]`. The model
            may have been made by them, and its errors on them be smaller: they are scaled to the
            size of the errors on the photos.
        magnified: What errors are multiplied by, where they are known to be larger or smaller.

    Returns:
        Shares of the photos; the interval is never of zero width.
    """
    tried_on = reference if others is None else np.concatenate([reference, others])
    errors = magnified * _errors(scores, reference)
    if others is not None and others_scores is not None and len(others_scores):
        smaller = _errors(others_scores, others[: len(others_scores)])
        ratio = float(errors.std()) / max(float(smaller.std()), _LEAST_SCORE)
        errors = np.concatenate([errors, max(1.0, min(_MOST_FITTED, ratio)) * smaller])
    logarithms = _logarithms(tried_on)
    order = _highest(logarithms)
    highest = np.take_along_axis(logarithms, order, axis=1)

    def costs(temperature: float) -> Array:
        """Return what it costs that each of the highest labels takes the first's place."""
        chances = np.take_along_axis(_softmax(logarithms / temperature), order, axis=1)
        return np.asarray(chances[:, :1] - chances)

    cost = costs(sharpness.value)
    taken = np.zeros(highest.shape)  # in which share of the trials each label comes first
    by_error = np.zeros(len(errors))
    for at in range(0, len(highest), _CHUNK):
        rows = slice(at, at + _CHUNK)
        first = (highest[rows, None] + errors[None]).argmax(axis=2)
        by_error += np.take_along_axis(cost[rows], first, axis=1).sum(axis=0)
        for label in range(highest.shape[1]):
            taken[rows, label] = (first == label).mean(axis=1)
    by_photo = (taken * cost).sum(axis=1)
    value = float(by_photo.mean())
    low, high = rare_losses(
        value,
        float((by_photo**2).sum()) / len(by_photo) ** 2
        + float((by_error / len(by_photo)).var()) / len(errors),
        one=max(_FLIP, float(by_photo.max())) / len(by_photo),
    )
    sharper, duller = (
        float((taken * costs(sharpness.value * np.exp(sign * 1.96 * sharpness.deviation))).sum())
        / len(highest)
        for sign in (-1, 1)
    )
    return Loss(
        value=value,
        low=max(0.0, value - float(np.hypot(value - low, max(0.0, value - duller)))),
        high=min(1.0, value + float(np.hypot(high - value, max(0.0, sharper - value)))),
    )


def _errors(scores: Array, reference: Array) -> Array:
    """Return what the model adds to the logarithms of the reference's highest scores."""
    chosen = _spread(len(scores), _ERRORS)
    wanted, found = _logarithms(reference[chosen]), _logarithms(scores[chosen])
    order = _highest(wanted)
    return np.asarray(np.take_along_axis(found - wanted, order, axis=1))


def _logarithms(scores: Array) -> Array:
    return np.asarray(np.log(np.maximum(scores, _LEAST_SCORE)))


def _highest(logarithms: Array) -> Array:
    """Return the places of each photo's highest labels; of equal ones the first comes first."""
    return np.argsort(-logarithms, axis=1, kind="stable")[:, :_LABELS]


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _spread(count: int, most: int) -> Array:
    """Return at most so many places, evenly spread."""
    kept = min(count, most)
    return np.arange(kept) * count // kept
