"""Rounds a layer's weights to a uniform grid so that its outputs change as little as possible.

GPTQ (Frantar et al. 2022, arXiv:2210.17323): weights are rounded one input after another, and the
error is compensated by the weights of the inputs not yet rounded, along the Cholesky factor of the
inverse covariance of the layer's inputs. The covariance is that of the inputs which the rounded
layers before really output, and weights are first refitted to them by ridge regression. Means
are left out: bias correction restores them exactly.

The grid is uniform and not clipped, because the values are entropy coded: at the same entropy a
uniform step loses least (Gish & Pierce 1968), and rare large values cost bits only where they
occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.quantize import pruning

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

LARGEST = 127
"""Values are stored as bytes around 128."""
_BLOCK = 64  # inputs whose errors are applied together; for speed alone
# Both are shares of the mean variance, added to the diagonal. Chosen, not measured.
_RIDGE = 0.4  # for rounding
_REFIT = 0.3  # for the refit; it pulls towards the original weights


@dataclass(frozen=True)
class Rounded:
    """Weights as whole numbers times a step per channel."""

    values: Array
    """int16 `[inputs, channels]` within ±127."""
    steps: Array
    """float32 `[channels]`."""

    def decode(self) -> Array:
        """Return the weights as the page decodes them: one product, rounded once."""
        product: Array = self.values.astype(np.float64) * self.steps.astype(np.float64)
        return product.astype(np.float32)


@dataclass(frozen=True)
class Decomposed:
    """How errors are passed on among a layer's inputs; the same for all steps."""

    order: Array
    """Order of rounding, inputs with the largest variance first: `[inputs]`."""
    factor: Array
    """Upper Cholesky factor of the inverse covariance in that order, `[inputs, inputs]`;
    depthwise: `[channels, taps, taps]`, taps in their own order."""


def decompose(spread: Array) -> Decomposed:
    """Decompose a covariance `[inputs, inputs]`, or a stack of them `[channels, taps, taps]`."""
    if spread.ndim == 3:  # noqa: PLR2004 - a stack
        return Decomposed(np.arange(spread.shape[-1]), _factor(spread))
    order = np.argsort(-np.diag(spread), kind="stable")
    return Decomposed(order, _factor(spread[np.ix_(order, order)]))


def refit(weights: Array, spread: Array, rows: Array, reference: Array) -> Array:
    """Return weights that map `rows` to what `weights` maps `reference` to, as far as they can.

    Args:
        weights: float64 `[inputs, channels]`.
        spread: Covariance of `rows`.
        rows: Inputs from the rounded layers before, float32 `[n, inputs]`.
        reference: The same inputs in the float network.
    """
    centred = rows - rows.mean(axis=0)
    cross = (centred.T @ (reference - reference.mean(axis=0))).astype(np.float64) / len(rows)
    ridge = np.eye(len(spread)) * (_REFIT * np.trace(spread) / len(spread) + 1e-8)
    solved: Array = np.linalg.solve(spread + ridge, (cross + ridge) @ weights)
    return solved


def unit_steps(decomposed: Decomposed) -> Array:
    """Return the step at which rounding a layer with these inputs costs one unit.

    It is the geometric mean of the Cholesky factor's diagonal, which measures what is left of an
    error after compensation. For a stack of covariances it returns a step per channel.
    """
    diagonal = np.diagonal(decomposed.factor, axis1=-2, axis2=-1)
    result: Array = np.exp(np.log(diagonal).mean(axis=-1))
    return result


def round_weights(
    weights: Array, decomposed: Decomposed, steps: Array, dead_zone: float
) -> Rounded:
    """Round `weights`, float64 `[inputs, channels]`, to multiples of `steps`.

    Args:
        weights: The weights.
        decomposed: The decomposed covariance of the layer's inputs.
        steps: float32 `[channels]`.
        dead_zone: Weights closer to zero than this, in steps, become zero.
    """
    order, factor = decomposed.order, decomposed.factor
    rest = weights[order].copy()
    exact = steps.astype(np.float64)
    values = np.zeros(rest.shape, np.int16)
    for start in range(0, len(rest), _BLOCK):
        end = min(len(rest), start + _BLOCK)
        errors = np.zeros((end - start, rest.shape[1]))
        for row in range(start, end):
            values[row] = _levels(rest[row] / exact, dead_zone)
            errors[row - start] = (rest[row] - values[row] * exact) / factor[row, row]
            rest[row + 1 : end] -= np.outer(factor[row, row + 1 : end], errors[row - start])
        rest[end:] -= factor[start:end, end:].T @ errors
    unordered = np.empty_like(values)
    unordered[order] = values
    return Rounded(unordered, steps)


def round_depthwise(
    weights: Array, decomposed: Decomposed, steps: Array, dead_zone: float
) -> Rounded:
    """Round a depthwise kernel, each channel by the covariance of its own taps.

    Args:
        weights: float64 `[taps, channels]`.
        decomposed: The decomposed covariances of the taps.
        steps: float32 `[channels]`.
        dead_zone: Weights closer to zero than this, in steps, become zero.
    """
    factors = decomposed.factor
    rest = weights.T.copy()
    exact = steps.astype(np.float64)
    values = np.zeros(rest.shape, np.int16)
    for tap in range(rest.shape[1]):
        values[:, tap] = _levels(rest[:, tap] / exact, dead_zone)
        errors = (rest[:, tap] - values[:, tap] * exact) / factors[:, tap, tap]
        rest[:, tap + 1 :] -= errors[:, None] * factors[:, tap, tap + 1 :]
    return Rounded(values.T.copy(), steps)


def _levels(scaled: Array, dead_zone: float) -> Array:
    return np.clip(pruning.to_levels(scaled, dead_zone), -LARGEST, LARGEST)


def _factor(spread: Array) -> Array:
    """Return the upper Cholesky factor of the inverse of a covariance, or of a stack of them."""
    size = spread.shape[-1]
    ridge = _RIDGE * np.trace(spread, axis1=-2, axis2=-1) / size + 1e-8
    damped = spread + np.eye(size) * np.asarray(ridge)[..., None, None]
    if damped.ndim > 2:  # noqa: PLR2004 - a stack
        lower: Array = np.linalg.cholesky(np.linalg.inv(damped))
        return lower.swapaxes(-1, -2)
    # The same, in a third of the operations: with the inputs in reverse order the covariance's own
    # factor, inverted, is the one wanted.
    from scipy.linalg import solve_triangular

    reverse = np.linalg.cholesky(damped[::-1, ::-1])
    inverse: Array = solve_triangular(reverse, np.eye(size), lower=True, check_finite=False)
    return inverse[::-1, ::-1]
