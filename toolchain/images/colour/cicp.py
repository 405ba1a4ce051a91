"""Colour spaces by the code points of ITU-T H.273, which AVIF and newer PNG files declare.

Pictures of high dynamic range (PQ or HLG) are refused: each browser maps them to the brightness of
a screen in its own way, so there is no right result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolchain.images.colour.profile import Curve, MatrixProfile

if TYPE_CHECKING:
    from collections.abc import Sequence

_D65, _C, _E = (0.3127, 0.3290), (0.310, 0.316), (1 / 3, 1 / 3)
_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_SMPTE = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_PRIMARIES = {
    1: (*_SRGB, _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: (*_SMPTE, _D65),
    7: (*_SMPTE, _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), _E),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
"""Red, green, blue and white, each as x and y."""
SRGB_CURVE = Curve(parameters=(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0))
_FILM_CURVE = Curve(parameters=(2.4, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
"""The curve of screens for films, BT.1886, which is not the inverse of the camera's curve."""
_FILM_CODES = (1, 6, 11, 14, 15)
_CURVES = {
    **dict.fromkeys(_FILM_CODES, _FILM_CURVE),
    4: Curve(parameters=(2.2, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    5: Curve(parameters=(2.8, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    7: Curve(parameters=(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913, 0.0, 0.0)),
    8: Curve(),
    13: SRGB_CURVE,
    17: Curve(parameters=(2.6, (52.37 / 48) ** (1 / 2.6), 0.0, 0.0, 0.0, 0.0, 0.0)),
}
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BYTES = np.arange(256) / 255


_HDR = (16, 18)


class HdrError(Exception):
    """The picture has a high dynamic range."""

    def __init__(self) -> None:
        super().__init__(
            "it has a high dynamic range (PQ or HLG), which each browser shows in a different "
            "brightness; save it with a standard dynamic range"
        )


@dataclass(frozen=True)
class CodePoints:
    """The code points that a file declares."""

    primaries: int
    transfer: int

    def profile(self, *, is_film_srgb: bool = False) -> MatrixProfile | None:
        """Return their colour space; None if they are unknown or unspecified.

        Args:
            is_film_srgb: Whether to use sRGB's curve for the curves of films, as browsers do for
                AVIF.

        Raises:
            HdrError: They mean a high dynamic range.
        """
        if self.transfer in _HDR:
            raise HdrError
        curve = _CURVES.get(self.transfer)
        if is_film_srgb and self.transfer in _FILM_CODES:
            curve = SRGB_CURVE
        primaries = _PRIMARIES.get(self.primaries)
        return None if curve is None or primaries is None else matrix_profile(primaries, curve)


def matrix_profile(primaries: Sequence[tuple[float, float]], curve: Curve) -> MatrixProfile | None:
    """Return the profile for these primaries and this curve.

    Args:
        primaries: Red, green, blue and white, each as x and y.
        curve: From stored values to light, the same for all three.

    Returns:
        The profile; None if the primaries cannot be mixed to that white.
    """
    *colours, white = [np.array([x, y, 1 - x - y]) for x, y in primaries]
    if min(white[1], 1 - white[1]) <= 0:
        return None
    mixed, target = np.stack(colours, 1), white / white[1]
    if abs(np.linalg.det(mixed)) < 1e-9:
        return None
    to_xyz = mixed * np.linalg.solve(mixed, target)
    adapted = np.linalg.solve(
        _BRADFORD, ((_BRADFORD @ _D50) / (_BRADFORD @ target))[:, None] * (_BRADFORD @ to_xyz)
    )
    if not np.isfinite(adapted).all():
        return None
    return MatrixProfile(
        np.tile(curve(_BYTES).astype(np.float32), (3, 1)), adapted.astype(np.float32)
    )
