"""HEIC photos, as phones take them: read if the optional package pillow-heif is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import IO

FORMAT = "HEIF"
"""Pillow's name of the format."""
WAY_OUT = "install `toolchain[heic]` to read HEIC, or convert it to JPEG"
# ISO/IEC 23008-12, annex B: pictures and sequences that are coded by HEVC.
_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_HEADER = 64  # bytes in which the brands stand


def is_heic(file: IO[bytes]) -> bool:
    """Tell whether a file says that it is HEIC, by its first box; the file is read from there."""
    start = file.tell()
    head = file.read(_HEADER)
    file.seek(start)
    if head[4:8] != b"ftyp":
        return False
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size, 4))}
    return bool(brands & _BRANDS) and b"avif" not in brands


def is_readable() -> bool:
    """Tell whether HEIC photos can be read here."""
    return find_spec("pillow_heif") is not None


def prepare() -> None:
    """Let Pillow read HEIC.

    Raises:
        ValueError: pillow-heif is not installed.
    """
    if not is_readable():
        raise ValueError(f"it is a HEIC photo; {WAY_OUT}")
    from pillow_heif import register_heif_opener

    register_heif_opener()
