"""Reads untrusted ICC profiles, and ignores those that a browser would ignore.

The rules are those of skcms, the library that reads profiles in Chromium: a profile that it
refuses is ignored here too, and the picture is treated as sRGB. Nothing outside the profile's own
bytes is read, so the memory needed is limited by its size.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from toolchain.images.colour.cicp import CodePoints
from toolchain.images.colour.profile import Curve, MatrixProfile, TableProfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolchain.images.colour.profile import Array, Profile

MAX_BYTES = 1 << 24
"""The most bytes of a profile. A JPEG cannot hold more; those of printers have a few million."""
MAX_TAGS = 100
MAX_POINTS = 1 << 16
"""The most points of a curve; curves of cameras and screens have at most 4,096."""
_HEADER = 128
_D50 = (0.9642, 1.0, 0.8249)
_CHANNELS = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}
_BYTES = np.arange(256, dtype=np.float64) / 255
"""The values that a channel of eight bits can have."""


class UnusableProfileError(Exception):
    """The profile is damaged, or of a kind that browsers ignore."""


def read(content: bytes, space: bytes) -> Profile:
    """Read a profile for pictures of one colour space.

    Args:
        content: The profile.
        space: `b"RGB "`, `b"GRAY"` or `b"CMYK"`, as profiles spell it.

    Raises:
        UnusableProfileError: Browsers would ignore the profile.
        HdrError: It is for pictures of high dynamic range.
    """
    try:
        return _read(content, space)
    except (struct.error, ValueError, OverflowError) as error:
        raise UnusableProfileError(str(error)) from error


def first_usable(content: bytes, spaces: Iterable[bytes]) -> Profile | None:
    """Read a profile for the first of these colour spaces that it fits; None if it fits none.

    Raises:
        HdrError: It is for pictures of high dynamic range.
    """
    for space in spaces:
        try:
            return read(content, space)
        except UnusableProfileError:
            continue
    return None


def is_profile(content: bytes) -> bool:
    """Tell whether this is a profile, usable or not."""
    try:
        _tags(content)
    except (UnusableProfileError, struct.error):
        return False
    return True


def _read(content: bytes, space: bytes) -> Profile:
    tags = _tags(content)
    if content[16:20] != space:
        raise UnusableProfileError("it is for another colour space")
    pcs = content[20:24]
    if pcs not in (b"XYZ ", b"Lab "):
        raise UnusableProfileError("it does not lead to XYZ or Lab")
    named = tags.get(b"cicp", b"") if space == b"RGB " else b""
    known = CodePoints(named[8], named[9]).profile() if len(named) == 12 else None
    if known:  # Chromium uses these instead of the rest
        return known
    matrix = _grey(tags, pcs) if space == b"GRAY" else _matrix(tags)
    for name in (b"A2B0", b"A2B1"):  # perceptual before relative; the header's intent is ignored
        if name in tags:
            return _table(tags[name], _CHANNELS[space], is_lab=pcs == b"Lab ")
    if matrix is None or space == b"CMYK":
        raise UnusableProfileError("it says nothing of its colours")
    return matrix


def _tags(content: bytes) -> dict[bytes, memoryview]:
    """Return the tags by name; a tag outside the file makes the profile unusable."""
    if not _HEADER + 4 <= len(content) <= MAX_BYTES:
        raise UnusableProfileError("its size")
    size, count = struct.unpack_from(">I", content)[0], struct.unpack_from(">I", content, 128)[0]
    white = [value / 65536 for value in struct.unpack_from(">3i", content, 68)]
    if content[36:40] != b"acsp" or content[8] > 4:
        raise UnusableProfileError("its header")
    if any(abs(one - other) > 0.01 for one, other in zip(white, _D50, strict=True)):
        raise UnusableProfileError("its illuminant")
    if count > MAX_TAGS or not _HEADER + 4 + 12 * count <= size <= len(content):
        raise UnusableProfileError("its table of tags")
    whole = memoryview(content)
    tags: dict[bytes, memoryview] = {}
    for number in range(count):
        name, start, length = struct.unpack_from(">4sII", content, _HEADER + 4 + 12 * number)
        if length < 4 or start + length > size:
            raise UnusableProfileError("a tag lies outside")
        tags.setdefault(name, whole[start : start + length])
    return tags


def _grey(tags: Mapping[bytes, memoryview], pcs: bytes) -> MatrixProfile | None:
    if b"kTRC" not in tags or pcs != b"XYZ ":
        return None
    curve, _ = _curve(tags[b"kTRC"])
    return MatrixProfile(curve(_BYTES).astype(np.float32)[None], np.eye(3, dtype=np.float32))


def _matrix(tags: Mapping[bytes, memoryview]) -> MatrixProfile | None:
    curves = [tags.get(name) for name in (b"rTRC", b"gTRC", b"bTRC")]
    colours = [tags.get(name) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    # Read both even if one is missing, because damage in either makes the profile unusable.
    light = [_curve(tag)[0](_BYTES) for tag in curves if tag is not None]
    columns = [_xyz(tag) for tag in colours if tag is not None]
    if len(light) < 3 or len(columns) < 3:
        return None
    return MatrixProfile(np.array(light, np.float32), np.array(columns, np.float32).T)


def _kind(tag: memoryview) -> bytes:
    return bytes(tag[:4])


def _xyz(tag: memoryview) -> tuple[float, ...]:
    if _kind(tag) != b"XYZ ":
        raise UnusableProfileError("a colour of another type")
    return tuple(value / 65536 for value in struct.unpack_from(">3i", tag, 8))


def _curve(tag: memoryview) -> tuple[Curve, int]:
    """Return a curve and its size in bytes."""
    kind = _kind(tag)
    if kind == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        size = 12 + 2 * count
        if size > len(tag) or count > MAX_POINTS:
            raise UnusableProfileError("a curve that is cut off, or too fine")
        if count <= 1:
            gamma = struct.unpack_from(">H", tag, 12)[0] / 256 if count else 1.0
            return Curve(parameters=(gamma, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)), size
        return Curve(_whole(tag, 12, count, ">u2")), size
    if kind == b"para":
        return _formula(tag)
    raise UnusableProfileError("a curve of another type")


def _formula(tag: memoryview) -> tuple[Curve, int]:
    counts = (1, 3, 4, 5, 7)
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind >= len(counts):
        raise UnusableProfileError("a curve of an unknown formula")
    values = [value / 65536 for value in struct.unpack_from(f">{counts[kind]}i", tag, 12)]
    values += [0.0] * (7 - len(values))
    g, a, b, c, d, e, f = values
    match kind:
        case 0:
            a = 1.0
        case 1:
            c, d = 0.0, (-b / a if a else 0.0)
        case 2:
            c, d, e, f = 0.0, (-b / a if a else 0.0), c, c
        case _:
            pass
    if min(g, a, c, d) < 0 or a * d + b < -1e-9:
        raise UnusableProfileError("a curve that is no function")
    return Curve(parameters=(g, a, b, c, d, e, f)), 12 + 4 * counts[kind]


def _whole(tag: memoryview, start: int, count: int, form: str) -> Array:
    """Return integers of a tag, scaled to 0…1."""
    numbers = np.frombuffer(tag, form, count, start)
    return (numbers / np.float64(np.iinfo(numbers.dtype).max)).astype(np.float32)


def _table(tag: memoryview, channels: int, *, is_lab: bool) -> TableProfile:
    kind = _kind(tag)
    if kind in (b"mft1", b"mft2"):
        found = _old_table(tag, channels, is_lab=is_lab)
    elif kind == b"mAB ":
        found = _new_table(tag, channels, is_lab=is_lab)
    else:
        raise UnusableProfileError("a table of another type")
    return found


def _old_table(tag: memoryview, channels: int, *, is_lab: bool) -> TableProfile:
    """Read `mft1` or `mft2`: a curve for each channel, the table, and a curve for each result."""
    inputs, outputs, points = struct.unpack_from(">3B", tag, 8)
    if inputs != channels or outputs != 3 or points < 2:
        raise UnusableProfileError("a table of another shape")
    if _kind(tag) == b"mft1":
        form, start, before, after = "u1", 48, 256, 256
    else:
        (before, after), form, start = struct.unpack_from(">2H", tag, 48), ">u2", 52
        if not (2 <= before <= 4096 and 2 <= after <= 4096):
            raise UnusableProfileError("a table's curves")
    width = np.dtype(form).itemsize
    middle = start + width * before * inputs
    end = middle + width * points**inputs * 3
    first = _whole(tag, start, before * inputs, form).reshape(inputs, before)
    last = _whole(tag, end, after * 3, form).reshape(3, after)
    return TableProfile(
        curves=np.array([Curve(curve)(_BYTES) for curve in first], np.float32),
        table=_whole(tag, middle, points**inputs * 3, form).reshape(*[points] * inputs, 3),
        middle=(),
        matrix=None,
        last=tuple(Curve(curve) for curve in last),
        is_lab=is_lab,
    )


def _new_table(tag: memoryview, channels: int, *, is_lab: bool) -> TableProfile:
    """Read `mAB `: curves, a table, curves, a matrix and curves, some of which may be missing."""
    inputs, outputs = struct.unpack_from(">2B", tag, 8)
    last, matrix, middle, table, first = struct.unpack_from(">5I", tag, 12)
    if inputs != channels or outputs != 3 or not last or bool(table) != bool(first):
        raise UnusableProfileError("a table of another shape")
    if bool(middle) != bool(matrix) or (not table and inputs != 3):
        raise UnusableProfileError("a table that lacks a part")
    if table:
        curves = np.array([c(_BYTES) for c in _curves(tag, first, inputs)], np.float32)
        grid = _grid(tag, table, inputs)
    else:
        curves = np.tile(_BYTES.astype(np.float32), (3, 1))
        ends = np.array([0, 1], np.float32)
        grid = np.stack(np.meshgrid(ends, ends, ends, indexing="ij"), -1)
    factors = None
    if matrix:
        numbers = np.array(struct.unpack_from(">12i", tag, matrix), np.float64) / 65536
        factors = np.hstack([numbers[:9].reshape(3, 3), numbers[9:, None]])
        # XYZ values are encoded so that 1 means 1 + 32767/32768.
        factors = (factors if is_lab else factors * (65535 / 32768)).astype(np.float32)
    return TableProfile(
        curves=np.clip(curves, 0, 1),
        table=grid,
        middle=_curves(tag, middle, 3) if middle else (),
        matrix=factors,
        last=_curves(tag, last, 3),
        is_lab=is_lab,
    )


def _curves(tag: memoryview, start: int, count: int) -> tuple[Curve, ...]:
    """Read consecutive curves, each of which starts at a multiple of four bytes."""
    found = []
    for _ in range(count):
        curve, size = _curve(tag[start:])
        found.append(curve)
        start += -(-size // 4) * 4
    return tuple(found)


def _grid(tag: memoryview, start: int, inputs: int) -> Array:
    points = tuple(tag[start : start + inputs])
    if len(points) < inputs or min(points) < 2 or len(tag) < start + 20:
        raise UnusableProfileError("a table's size")
    forms = {1: "u1", 2: ">u2"}
    form = forms.get(tag[start + 16])
    count = 3
    for number in points:
        count *= number
    if form is None or count > MAX_BYTES:
        raise UnusableProfileError("a table's size")
    return _whole(tag, start + 20, count, form).reshape(*points, 3)
