"""The rule "none of these": which photos show none of a model's labels.

The features of a photo are the input of the network's last dense layer, a row of numbers. The rule
holds one vector for each label, its *centre*, over some of the features' coordinates. A photo is
as similar to a label as the cosine between its features and the label's centre. If even the
greatest cosine is below a threshold, the photo shows none of the labels. The page then names the
label of the highest score as the nearest one.

Scores cannot tell this: they are about which label fits best, and foreign photos get high ones.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from toolchain.records.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]

_GREATEST = 127
"""The absolute value of the greatest number in a centre that :func:`make` stores."""
_MOST_COORDINATES = 1 << 16


class NoneOfThese(Record):
    """The rule, in the form that is stored in files and sent to the page."""

    threshold: Annotated[float, Field(ge=-1, le=1)]
    """A photo whose greatest cosine is below it shows none of the labels."""
    coordinates: str
    """Which features are compared: ascending indices, little-endian uint16, as base64."""
    centres: str
    """The labels' centres: int8 `[labels, coordinates]`, row by row, as base64. Each row may be in
    a unit of its own, because a cosine does not depend on length."""

    @field_validator("coordinates")
    @classmethod
    def _indices_ascend(cls, value: str) -> str:
        data = _decoded(value)
        if not data or len(data) % 2:
            raise ValueError("it is not a list of uint16 numbers")
        if not (np.diff(np.frombuffer(data, "<u2").astype(int)) > 0).all():
            raise ValueError("the indices do not ascend")
        return value

    @field_validator("centres")
    @classmethod
    def _is_base64(cls, value: str) -> str:
        _decoded(value)
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> NoneOfThese:
        count = len(self.indices)
        if not (data := _decoded(self.centres)) or len(data) % count:
            raise ValueError(
                f"the centres have {len(data)} numbers, which is no multiple of the {count} "
                "coordinates"
            )
        if not self.vectors.any(axis=1).all():
            raise ValueError("the centre of a label is zero, so nothing can be similar to it")
        return self

    @property
    def indices(self) -> Array:
        """The coordinates of the features that are compared, ascending, int `[coordinates]`."""
        return np.frombuffer(_decoded(self.coordinates), "<u2").astype(np.intp)

    @property
    def vectors(self) -> Array:
        """The centres, int8 `[labels, coordinates]`."""
        return np.frombuffer(_decoded(self.centres), np.int8).reshape(-1, len(self.indices))

    @property
    def labels(self) -> int:
        """Number of the labels."""
        return len(self.vectors)

    def cosines(self, features: Array) -> Array:
        """Return how similar photos are to each label, float64 `[n, labels]` in -1…1.

        Features that are zero in all coordinates have no direction; their cosines are 0.

        Args:
            features: Float `[n, width]`, the input of the network's last dense layer.

        Raises:
            ValueError: There are fewer features than the coordinates need.
        """
        if features.ndim != len("nw") or features.shape[1] <= self.indices[-1]:
            raise ValueError(
                f"features of shape {features.shape} have no coordinate {self.indices[-1]}"
            )
        chosen = np.asarray(features, np.float64)[:, self.indices]
        centres = self.vectors.astype(np.float64)
        lengths = np.linalg.norm(chosen, axis=1)
        chosen /= np.where(lengths == 0, 1, lengths)[:, None]
        centres /= np.linalg.norm(centres, axis=1)[:, None]
        found: Array = chosen @ centres.T
        return found

    def greatest_cosines(self, features: Array) -> Array:
        """Return the cosine of each photo to the most similar label, float64 `[n]`.

        Args:
            features: As for :meth:`cosines`.
        """
        greatest: Array = self.cosines(features).max(axis=1)
        return greatest

    def is_none(self, greatest_cosines: Array) -> Array:
        """Tell which photos show none of the labels, bool `[n]`.

        Args:
            greatest_cosines: Float `[n]`, from :meth:`greatest_cosines`. NaN counts as none.
        """
        far: Array = ~(np.asarray(greatest_cosines) >= self.threshold)
        return far


def make(centres: Array, coordinates: Sequence[int] | Array, threshold: float) -> NoneOfThese:
    """Make the rule, rounding each centre to int8.

    Args:
        centres: Float `[labels, coordinates]`, in any unit.
        coordinates: Ascending indices of features, each below 65,536.
        threshold: In -1…1.

    Raises:
        ValueError: The arrays do not fit together, an index is out of range, or a centre is zero
            or not finite.
    """
    rows = np.asarray(centres, np.float64)
    places = np.asarray(coordinates)
    if rows.ndim != len("lc") or rows.shape[1] != len(places):
        raise ValueError(f"centres of shape {rows.shape} do not fit {len(places)} coordinates")
    if not np.isfinite(rows).all():
        raise ValueError("a centre is not finite")
    if len(places) and not 0 <= places.min() <= places.max() < _MOST_COORDINATES:
        raise ValueError(f"a coordinate is not in 0…{_MOST_COORDINATES - 1}")
    greatest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    whole = np.rint(rows / np.where(greatest == 0, 1, greatest) * _GREATEST).astype(np.int8)
    return NoneOfThese(
        threshold=threshold,
        coordinates=base64.b64encode(places.astype("<u2").tobytes()).decode(),
        centres=base64.b64encode(whole.tobytes()).decode(),
    )


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64") from error
