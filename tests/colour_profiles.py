"""Writes ICC profiles byte by byte, so that the repository needs no profile by others."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Array = np.ndarray[Any, Any]
    Tags = Sequence[tuple[bytes, bytes]]

D50 = (0.9642, 1.0, 0.8249)
D65 = (0.3127, 0.3290)
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
TURNED = (SRGB[1], SRGB[2], SRGB[0])
"""sRGB with its channels in another order: it is easy to see whether it was applied."""
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def fixed(*values: float) -> bytes:
    """Write numbers as 16.16 fixed point."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def xyz(*values: float) -> bytes:
    """Write a tag with one colour."""
    return b"XYZ \0\0\0\0" + fixed(*values)


def gamma(exponent: float) -> bytes:
    """Write a curve that is a power."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))


def points(values: Iterable[float]) -> bytes:
    """Write a curve given by points."""
    numbers = [round(value * 65535) for value in values]
    return b"curv\0\0\0\0" + struct.pack(f">I{len(numbers)}H", len(numbers), *numbers)


def formula(kind: int, *parameters: float) -> bytes:
    """Write a curve given by a formula."""
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + fixed(*parameters)


SRGB_CURVE = formula(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile(
    tags: Tags, space: bytes = b"RGB ", pcs: bytes = b"XYZ ", version: int = 4, intent: int = 0
) -> bytes:
    """Write a profile with these tags."""
    start, head, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags:
        head += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sB3x4s4s4s12x4s4x4x4x4x8xI", start + len(body), b"", version, b"mntr", space, pcs,
        b"acsp", intent,
    )  # fmt: skip
    return (header + fixed(*D50)).ljust(128, b"\0") + struct.pack(">I", len(tags)) + head + body


def colorants(primaries: Sequence[tuple[float, float]], white: tuple[float, float] = D65) -> Array:
    """Return the matrix from linear RGB to XYZ under D50."""
    mixed = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    target = np.array([white[0] / white[1], 1, (1 - sum(white)) / white[1]])
    to_xyz = mixed * np.linalg.solve(mixed, target)
    scale = np.diag((_BRADFORD @ D50) / (_BRADFORD @ target))
    matrix: Array = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ to_xyz
    return matrix


def matrix_tags(
    primaries: Sequence[tuple[float, float]], curve: bytes, white: tuple[float, float] = D65
) -> Tags:
    """Return the tags of a screen's or a camera's colours."""
    columns = colorants(primaries, white).T
    return [
        *((b"%cXYZ" % letter, xyz(*columns[place])) for place, letter in enumerate(b"rgb")),
        *((b"%cTRC" % letter, curve) for letter in b"rgb"),
    ]


def display_p3() -> bytes:
    """Write the profile of Apple's phones and screens."""
    return profile(matrix_tags(DISPLAY_P3, SRGB_CURVE))


def adobe_rgb() -> bytes:
    """Write the profile of cameras that are set to Adobe RGB."""
    return profile(matrix_tags(ADOBE, gamma(563 / 256)), version=2)


def prophoto() -> bytes:
    """Write a profile with colours that no screen can show."""
    return profile(matrix_tags(PROPHOTO, gamma(1.8), (0.3457, 0.3585)), version=2)


def turned(curve: bytes = SRGB_CURVE) -> bytes:
    """Write a profile that changes every colour."""
    return profile(matrix_tags(TURNED, curve))


def grey(exponent: float) -> bytes:
    """Write a profile for grey pictures."""
    return profile([(b"kTRC", gamma(exponent))], space=b"GRAY", version=2)


def lab(colour: Array) -> tuple[float, float, float]:
    """Return L*a*b* of a colour in XYZ under D50."""
    relative = np.asarray(colour) / D50
    root = np.where(
        relative > 216 / 24389, np.cbrt(relative), (24389 / 27 * relative + 16) / 116
    )  # fmt: skip
    return 116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])


def _lab_table(channels: int, grid: int, colour: Callable[[Array], Array], form: str) -> bytes:
    most = 255 if form == "u1" else 65535
    values = [
        (lightness / 100, (a + 128) / 255, (b + 128) / 255)
        for place in itertools.product(np.linspace(0, 1, grid), repeat=channels)
        for lightness, a, b in [lab(colour(np.array(place)))]
    ]
    return (np.clip(values, 0, 1) * most).round().astype(form).tobytes()


def old_table(
    channels: int, grid: int, colour: Callable[[Array], Array], form: str = ">u2"
) -> bytes:
    """Write a tag `mft1` or `mft2` from a device's channels to L*a*b*."""
    head = struct.pack(">4B", channels, 3, grid, 0) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    body = _lab_table(channels, grid, colour, form)
    if form == "u1":
        curve = bytes(range(256))
        return b"mft1\0\0\0\0" + head + curve * channels + body + curve * 3
    curve = struct.pack(">3H", 0, 32768, 65535)
    return b"mft2\0\0\0\0" + head + struct.pack(">2H", 3, 3) + curve * channels + body + curve * 3


def new_table(channels: int, grid: int, colour: Callable[[Array], Array]) -> bytes:
    """Write a tag `mAB ` with all its parts; only the table changes colours."""
    none = points([0, 1])
    none += bytes(-len(none) % 4)
    table = bytes([grid] * channels).ljust(16, b"\0") + b"\2\0\0\0"
    table += _lab_table(channels, grid, colour, ">u2")
    table += bytes(-len(table) % 4)
    matrix = fixed(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    parts = (none * 3, matrix, none * 3, table, none * channels)
    starts = itertools.accumulate((len(part) for part in parts[:-1]), initial=32)
    return b"mAB \0\0\0\0" + struct.pack(">4B5I", channels, 3, 0, 0, *starts) + b"".join(parts)


def table_profile(tag: bytes, space: bytes = b"RGB ", name: bytes = b"A2B0", **more: Any) -> bytes:
    """Write a profile with one table."""
    return profile([(name, tag)], space=space, pcs=b"Lab ", **{"version": 2, **more})


def wide_colours(device: Array) -> Array:
    """Return the colour of a device's red, green and blue."""
    colour: Array = colorants(DISPLAY_P3) @ device**2.2
    return colour


def inks(device: Array) -> Array:
    """Return the colour of cyan, magenta, yellow and black on paper."""
    paper = (1 - device[:3] * (0.90, 0.85, 0.95)) * (1 - 0.95 * device[3])
    colour: Array = colorants(SRGB) @ (0.05 + 0.92 * paper) ** 2.0
    return colour
