"""Colour profiles: how to turn the numbers of a picture into colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[np.float32]]


_BRIGHTEST = 1e6
"""The largest result of a curve, where white is 1; larger numbers could overflow later."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve on 0…1, given by equidistant points or by the parameters of a formula."""

    points: Array | None = None
    parameters: tuple[float, ...] = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    """g, a, b, c, d, e, f: `(a x + b)^g + e` for x from d on, `c x + f` below."""

    def __call__(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the curve at `values`, in the same shape."""
        if self.points is not None:
            count = len(self.points)
            places = np.clip(values, 0, 1) * (count - 1)
            return np.interp(places, np.arange(count), self.points)
        g, a, b, c, d, e, f = self.parameters
        base = np.maximum(a * values + b, 0)
        with np.errstate(over="ignore"):  # an overflow is limited below
            above = np.minimum(np.where(base > 0, np.power(base, g), 0), _BRIGHTEST) + e
        return np.where(values >= d, above, c * values + f)


@dataclass(frozen=True, eq=False)
class MatrixProfile:
    """Colours by a curve for each channel and a matrix, as for cameras and screens."""

    curves: Array
    """The light of each byte, float32 `[channels, 256]`; one channel is grey."""
    to_xyz: Array
    """From linear RGB to XYZ under D50, float32 `[3, 3]`; not used for grey."""


@dataclass(frozen=True, eq=False)
class TableProfile:
    """Colours by a table with one axis for each channel, as for printers."""

    curves: Array
    """The position of each byte on its axis, float32 in 0…1 `[channels, 256]`."""
    table: Array
    """float32 `[points, …, points, 3]`."""
    middle: tuple[Curve, ...]
    """Curves for the table's values before the matrix; empty if there is no matrix."""
    matrix: Array | None
    """float32 `[3, 4]`; the last column is added."""
    last: tuple[Curve, ...]
    """Curves for the result."""
    is_lab: bool
    """Whether the result is L*a*b*, each in 0…1, instead of XYZ."""


Profile = MatrixProfile | TableProfile
