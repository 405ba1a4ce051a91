"""The new last layer: logistic regression on features, by L-BFGS.

Multinomial for tags that exclude each other, one logistic regression a tag for others. The penalty
on the weights is the squared L2 norm, as in scikit-learn's `LogisticRegression`; L-BFGS is that of
Byrd, Lu, Nocedal and Zhu 1995 in SciPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from toolchain.records.card import Task

    Array = np.ndarray[Any, Any]

_STEPS = 400  # at most
_MEMORY = 20  # pairs of steps that L-BFGS keeps
TOLERANCE = 1e-5
"""Of the gradient for each photo, where a layer is fitted to be used."""
_NORM = 10.0  # of the scaled features, so that C = 1 is about right: see TRAINING in docs
_NEGLIGIBLE = 1e-6  # of the largest singular value


@dataclass(frozen=True)
class Rotated:
    """Features in coordinates of their own, in which as few numbers say the same.

    A rotation changes neither the penalty nor the optimum, and `n` photos span at most `n`
    dimensions, so fits take less time.
    """

    values: Array
    """float64 `[photos, rank]`, centred and scaled."""
    centre: Array
    """float64 `[width]`."""
    axes: Array
    """float64 `[width, rank]`: `values = (features - centre) @ axes`."""

    def layer(self, weights: Array, bias: Array) -> tuple[Array, Array]:
        """Return weights `[rank, tags]` and bias as a layer on the features themselves."""
        kernel = self.axes @ weights
        return kernel, bias - self.centre @ kernel


def rotate(features: Array, *, split: tuple[int, ...] = ()) -> Rotated:
    """Centre, scale and rotate features to as few dimensions as they have.

    Args:
        features: float32 `[photos, width]`.
        split: The widths of the parts, from different depths. Each part is scaled by itself, so
            that one with large values does not outweigh the others.
    """
    centre = features.mean(axis=0, dtype=np.float64)
    scale = np.ones(features.shape[1])
    start = 0
    for width in split or (features.shape[1],):
        part = slice(start, start + width)
        spread = np.sqrt(features[:, part].var(axis=0, dtype=np.float64).sum())
        scale[part] = _NORM / max(float(spread), 1e-12)
        start += width
    count, width = features.shape
    if count < width:
        scaled = (features - centre) * scale
        _, singular, rows = np.linalg.svd(scaled, full_matrices=False)
        kept = singular > singular[0] * _NEGLIGIBLE
        axes = rows[kept].T
        return Rotated(scaled @ axes, centre, scale[:, None] * axes)
    # The Gram matrix is small, and needs no second copy of the features.
    gram = np.zeros((width, width))
    for at in range(0, count, 4096):
        chunk = (features[at : at + 4096] - centre) * scale
        gram += chunk.T @ chunk
    variances, vectors = np.linalg.eigh(gram)
    axes = vectors[:, variances > variances[-1] * _NEGLIGIBLE**2]
    whole = scale[:, None] * axes
    return Rotated(features @ whole - centre @ whole, centre, whole)


def fit(
    values: Array,
    truth: Array,
    weights: Array,
    inverse_regularisation: float,
    *,
    task: Task,
    start: Array | None = None,
    tolerance: float = TOLERANCE,
) -> Array:
    """Return the best last layer, `[rank + 1, tags]`; the last row is the bias.

    Args:
        values: float64 `[photos, rank]`.
        truth: Bool or float `[photos, tags]`.
        weights: Weight of each photo, float64 `[photos]`; photos of weight 0 are left out.
        inverse_regularisation: C: a larger one fits the photos closer.
        task: Whether tags exclude each other.
        start: A layer to start from, such as that for a similar C.
        tolerance: Of the gradient for each photo.
    """
    from scipy.optimize import minimize

    rank, tags = values.shape[1], truth.shape[1]
    wanted = truth.astype(np.float64)
    used = np.flatnonzero(weights)
    if len(used) < len(values):
        values, wanted, weights = values[used], wanted[used], weights[used]
    loss = _multinomial if task == "single-label" else _independent
    total = float(weights.sum())

    def objective(flat: Array) -> tuple[float, Array]:
        layer = flat.reshape(rank + 1, tags)
        outputs = values @ layer[:-1] + layer[-1]
        lost, slope = loss(outputs, wanted, weights)
        gradient = np.empty_like(layer)
        gradient[:-1] = values.T @ slope + layer[:-1] / inverse_regularisation
        gradient[-1] = slope.sum(axis=0)
        penalty = 0.5 / inverse_regularisation * float((layer[:-1] ** 2).sum())
        return (lost + penalty) / total, gradient.ravel() / total

    first = np.zeros((rank + 1, tags)) if start is None else start
    found = minimize(
        objective,
        first.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "maxcor": _MEMORY, "gtol": tolerance, "ftol": 1e-12},
    )
    layer: Array = found.x.reshape(rank + 1, tags)
    return layer


def _multinomial(outputs: Array, wanted: Array, weights: Array) -> tuple[float, Array]:
    """Return the cross-entropy after softmax, and its slope by the outputs."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    exponents = np.exp(shifted)
    sums = exponents.sum(axis=1, keepdims=True)
    lost = np.log(sums[:, 0]) - (shifted * wanted).sum(axis=1)
    return float(weights @ lost), (exponents / sums - wanted) * weights[:, None]


def _independent(outputs: Array, wanted: Array, weights: Array) -> tuple[float, Array]:
    """Return the cross-entropy of each tag after sigmoid, and its slope by the outputs."""
    lost = np.logaddexp(0.0, outputs) - outputs * wanted
    scores = 0.5 * (1 + np.tanh(outputs / 2))
    return float(weights @ lost.sum(axis=1)), (scores - wanted) * weights[:, None]


def balanced(truth: Array, *, task: Task) -> Array:
    """Return weights of photos that give rare tags more say, float64 `[photos]`, of mean 1.

    A tag's weight is the square root of how much rarer it is than the mean: full balancing lets a
    few photos of a rare tag outweigh all others.

    Args:
        truth: Bool `[photos, tags]`.
        task: For multi-label photos all weights are 1.
    """
    if task != "single-label":
        return np.ones(len(truth))
    counts = truth.sum(axis=0)
    by_tag = np.sqrt(counts.mean() / np.maximum(counts, 1))
    of_photos = by_tag[truth.argmax(axis=1)]
    weights: Array = of_photos / of_photos.mean()
    return weights
