"""What the numbers of a picture mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[np.float32]]


_BRIGHTEST = 1e6
"""White is 1. Larger numbers could grow into none at all."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve from 0…1, as points at equal distances or as the parameters of its formula."""

    points: Array | None = None
    parameters: tuple[float, ...] = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    """g, a, b, c, d, e, f: `(a x + b)^g + e` from d on, `c x + f` below."""

    def __call__(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the curve at these places, in the shape of `values`."""
        if self.points is not None:
            count = len(self.points)
            places = np.clip(values, 0, 1) * (count - 1)
            return np.interp(places, np.arange(count), self.points)
        g, a, b, c, d, e, f = self.parameters
        base = np.maximum(a * values + b, 0)
        with np.errstate(over="ignore"):  # what is brighter than any number is white
            above = np.minimum(np.where(base > 0, np.power(base, g), 0), _BRIGHTEST) + e
        return np.where(values >= d, above, c * values + f)


@dataclass(frozen=True, eq=False)
class MatrixProfile:
    """Colours as a curve for each channel and a matrix, as cameras and screens have them."""

    curves: Array
    """The light of each byte, float32 `[channels, 256]`; one channel is grey."""
    to_xyz: Array
    """From linear RGB to XYZ under D50, float32 `[3, 3]`; of no account where all is grey."""


@dataclass(frozen=True, eq=False)
class TableProfile:
    """Colours as a table with one axis for each channel, as printers have them."""

    curves: Array
    """Where on its axis each byte lies, float32 in 0…1 `[channels, 256]`."""
    table: Array
    """float32 `[points, …, points, 3]`."""
    middle: tuple[Curve, ...]
    """What is done to the table's values before the matrix; none where there is no matrix."""
    matrix: Array | None
    """float32 `[3, 4]`; the last column is added."""
    last: tuple[Curve, ...]
    is_lab: bool
    """Whether the result is L*a*b*, each in 0…1, and not XYZ."""


Profile = MatrixProfile | TableProfile
