"""Mean and covariance of a layer's inputs, from samples or from BatchNorm's statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.quantize.statistics import ChannelMoments

if TYPE_CHECKING:
    from toolchain.quantize.layer_graph import Layer

    Array = np.ndarray[Any, Any]

_FURTHEST = 16.0  # largest factor by which a sampled variance is corrected; chosen, not measured


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of a layer's inputs."""

    mean: Array
    """float64 `[inputs]`; depthwise: `[taps, channels]`."""
    spread: Array
    """Covariance, float64 `[inputs, inputs]`; depthwise: `[channels, taps, taps]`."""


def of_rows(layer: Layer, rows: Array) -> Moments:
    """Return the moments of samples, float32 `[n, inputs]`; depthwise: `[n, taps, channels]`."""
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean.astype(np.float32)
    if layer.kind == "depthwise":
        # One product for each channel; einsum does not use BLAS here and takes twice as long.
        channels = np.ascontiguousarray(centred.transpose(2, 1, 0))
        spread = channels @ channels.transpose(0, 2, 1)
    else:
        spread = centred.T @ centred
    return Moments(mean, spread.astype(np.float64) / len(rows))


def guessed(layer: Layer, sampled: Moments, inputs: int) -> ChannelMoments:
    """Estimate the moments of a layer's `inputs` channels from generated pictures alone.

    Some channels hardly vary on generated pictures but do on photos. So each channel's variance
    is raised to at least the mean of all.
    """
    if layer.kind == "depthwise":
        means = sampled.mean.mean(axis=0)
        variances = np.trace(sampled.spread, axis1=1, axis2=2) / sampled.spread.shape[-1]
    else:
        means = sampled.mean.reshape(-1, inputs).mean(axis=0)
        variances = np.diag(sampled.spread).reshape(-1, inputs).mean(axis=0)
    return ChannelMoments(means, np.maximum(variances, variances.mean()))


def informed(layer: Layer, sampled: Moments, known: ChannelMoments) -> Moments:
    """Correct the moments of generated pictures with BatchNorm's statistics of the channels.

    Means and variances come from BatchNorm, correlations from the pictures. A channel that hardly
    varies on the pictures keeps BatchNorm's variance, so its weights are not rounded to zero.
    """
    if layer.kind == "depthwise":
        multiplier = sampled.mean.shape[-1] // len(known.means)
        means = np.repeat(known.means, multiplier)
        mean = np.broadcast_to(means, sampled.mean.shape).astype(np.float64)
        if known.variances is None:
            return Moments(mean, sampled.spread)
        # Neighbouring pixels correlate about equally in all channels.
        taps = sampled.spread.shape[-1]
        variance = np.trace(sampled.spread, axis1=1, axis2=2).sum() / taps
        together = sampled.spread.sum(axis=0) / max(variance, 1e-30)
        variances = np.repeat(known.variances, multiplier)
        return Moments(mean, variances[:, None, None] * together)
    taps = len(sampled.mean) // len(known.means)
    mean = np.tile(known.means, taps)
    if known.variances is None:
        return Moments(mean, sampled.spread)
    diagonal = np.diag(sampled.spread).reshape(taps, -1).mean(axis=0)
    ratio = known.variances / np.maximum(diagonal, 1e-12)
    scale = np.tile(np.sqrt(np.clip(ratio, 1 / _FURTHEST, _FURTHEST)), taps)
    spread = sampled.spread * np.outer(scale, scale)
    np.fill_diagonal(spread, np.maximum(np.diag(spread), np.tile(known.variances, taps)))
    return Moments(mean, spread)
