"""Reads the colour space that an AVIF file declares, without decoding pixels."""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

from toolchain.images.colour.cicp import CodePoints

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_META = 1 << 20
"""The most bytes to read; a single picture has a few hundred, a grid of pictures a few thousand."""
_MAX_BOXES = 1000


def code_points(file: IO[bytes]) -> CodePoints | None:
    """Return the code points of the main picture; None if it has none."""
    try:
        meta = list(_boxes(_meta(file)))
        properties = list(_boxes(_child(meta, b"iprp")))
        shown = _associated(_child(properties, b"ipma"), _shown(_child(meta, b"pitm")))
        all_of_them = list(_boxes(_child(properties, b"ipco")))
    except (struct.error, IndexError):
        return None
    for index in shown:
        name, content = all_of_them[index - 1] if 0 < index <= len(all_of_them) else (b"", b"")
        if name == b"colr" and content[:4] == b"nclx" and len(content) >= 10:
            return CodePoints(*struct.unpack_from(">2H", content, 4))
    return None


def _meta(file: IO[bytes]) -> bytes:
    """Return the content of the file's `meta` box."""
    file.seek(4)
    if file.read(4) != b"ftyp":
        return b""
    file.seek(0)
    for _ in range(_MAX_BOXES):
        head = file.read(8)
        if len(head) < 8:
            break
        size, name = struct.unpack(">I4s", head)
        if size < 8:  # a box up to the end of the file, or of a 64-bit size: the pixels
            break
        if name == b"meta":
            return file.read(min(size - 8, _MAX_META))[4:]
        file.seek(size - 8, 1)
    return b""


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 0
    for _ in range(_MAX_BOXES):
        if start + 8 > len(content):
            return
        size, name = struct.unpack_from(">I4s", content, start)
        if size < 8:
            return
        yield name, content[start + 8 : start + size]
        start += size


def _child(boxes: list[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    return next((content for name, content in boxes if name == wanted), b"")


def _shown(pitm: bytes) -> int:
    """Return the number of the main picture."""
    (number,) = struct.unpack_from(">H" if pitm[0] == 0 else ">I", pitm, 4)
    return int(number)


def _associated(ipma: bytes, item: int) -> list[int]:
    """Return the indices of a picture's properties, counted from 1."""
    version, flags = ipma[0], ipma[3]
    (count,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(min(count, _MAX_BOXES)):
        (number,) = struct.unpack_from(">H" if version == 0 else ">I", ipma, at)
        at += 2 if version == 0 else 4
        of_it = ipma[at]
        wide = bool(flags & 1)
        form = f">{of_it}{'H' if wide else 'B'}"
        found = struct.unpack_from(form, ipma, at + 1)
        if number == item:
            return [index & (0x7FFF if wide else 0x7F) for index in found]
        at += 1 + struct.calcsize(form)
    return []
