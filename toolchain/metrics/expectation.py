"""The expected drop in top-1 from a change of scores, computed from the scores alone.

If only a few of a hundred photos change their first label, counting them depends on luck. So each
photo's scores are combined with the errors that the model makes on every other photo, label by
label in the order of their scores. For n photos these are n² trials. A photo whose two highest
scores are close contributes to the result whether or not its first label happened to change.

A changed label costs the probability that the reference's first label is right, minus that of the
label that replaces it. Small networks give their first label a lower score than its probability.
So the scores are sharpened by a temperature (Guo et al. 2017, arXiv:1706.04599). It is fitted if
photos have labels; otherwise it is the usual one of such networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.metrics.intervals import rare_losses

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Chosen, not measured, these seven.
_LABELS = 12  # highest labels of each photo to try; rounding errors put no other label first
_ERRORS = 256  # photos whose errors are tried on the others, at most
_FITTED = 2000  # photos to fit a temperature to, at most
_CHUNK = 64  # photos at a time
_LEAST_SCORE = 1e-12
_MOST_FITTED = 10.0  # how many times smaller errors may be on photos that the model was made with
_MISLABELLED = 0.01  # assumed share of photos with a wrong label

TEMPERATURE = 0.75
"""The temperature without labelled photos. Fitted to the same labelled photos, it was 0.66 for
MobileNetV2 and EfficientNet-Lite0, and 0.92 for MobileNetV1 0.25."""
TEMPERATURE_DEVIATION = 0.15
"""Standard deviation of its logarithm: 95 % of such networks are assumed to lie within
0.56 … 1.0."""
_FLIP = 0.18
"""The assumed cost of one more changed label if none was seen to cost more. Measured on the photos
of eight sites: the labels lost minus those won, as a share of all changed first labels."""


@dataclass(frozen=True)
class Temperature:
    """The number that logarithms of scores are divided by to turn scores into probabilities."""

    value: float
    deviation: float
    """Standard deviation of its logarithm."""


@dataclass(frozen=True)
class Loss:
    """The expected loss of top-1, as a share of the photos, with its 95 % interval."""

    value: float
    low: float
    high: float


UNKNOWN = Temperature(TEMPERATURE, TEMPERATURE_DEVIATION)


def temperature(scores: Array, truth: Array) -> Temperature:
    """Fit a temperature to labelled photos; with few photos it stays near the usual one.

    Args:
        scores: The reference's scores, float64 `[n, labels]` in 0…1.
        truth: Index of each photo's label, `[n]`.

    Returns:
        The mean and deviation given the photos, with :data:`UNKNOWN` as the prior.
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
        scores: The model's scores, float64 `[n, labels]` in 0…1.
        reference: The reference's scores for the same photos.
        sharpness: The reference's temperature.
        others: The reference's scores for more photos of the same kind, `[m, labels]`; the model's
            errors are tried on these too.
        others_scores: The model's scores for the first of those, `[at most m, labels]`. If the
            model was made with these photos, its errors on them may be smaller, so they are
            scaled to the size of the errors on the other photos.
        magnified: Factor for all errors, if they are known to be larger or smaller.

    Returns:
        Shares of the photos; the interval never has zero width.
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
        """Return what it costs if each of the highest labels replaces the first one."""
        chances = np.take_along_axis(_softmax(logarithms / temperature), order, axis=1)
        return np.asarray(chances[:, :1] - chances)

    cost = costs(sharpness.value)
    taken = np.zeros(highest.shape)  # the share of the trials in which each label comes first
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
    """Return the change in the logarithms of the reference's highest scores."""
    chosen = _spread(len(scores), _ERRORS)
    wanted, found = _logarithms(reference[chosen]), _logarithms(scores[chosen])
    order = _highest(wanted)
    return np.asarray(np.take_along_axis(found - wanted, order, axis=1))


def _logarithms(scores: Array) -> Array:
    return np.asarray(np.log(np.maximum(scores, _LEAST_SCORE)))


def _highest(logarithms: Array) -> Array:
    """Return the indices of each photo's highest labels; equal scores keep their order."""
    return np.argsort(-logarithms, axis=1, kind="stable")[:, :_LABELS]


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _spread(count: int, most: int) -> Array:
    """Return at most `most` indices of `count`, evenly spread."""
    kept = min(count, most)
    return np.arange(kept) * count // kept
