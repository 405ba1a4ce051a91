"""Reads the chunks before the pixels of a PNG file, without decoding pixels."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from toolchain.images.colour import icc
from toolchain.images.colour.cicp import CodePoints, matrix_profile
from toolchain.images.colour.profile import Curve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolchain.images.colour.profile import Profile

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WANTED = {
    b"IHDR": 13,
    b"cICP": 4,
    b"sRGB": 1,
    b"gAMA": 4,
    b"cHRM": 32,
    b"iCCP": icc.MAX_BYTES,
    b"eXIf": 1 << 16,
}
"""The chunks to read, with the most bytes to read of each."""
MAX_CHUNKS = 1000
_DEFAULT_GAMMA = (0.44, 0.477)
"""Values near the gamma of sRGB's curve: a picture with such a gamma and no colours is sRGB."""
_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290))


@dataclass(frozen=True)
class Ahead:
    """The chunks before the first pixels, by name; the first one if a name occurs twice."""

    chunks: Mapping[bytes, bytes]

    @property
    def depth(self) -> int:
        """Bits of a channel; 8 if the file does not tell."""
        header = self.chunks.get(b"IHDR", b"")
        return header[8] if len(header) == 13 else 8

    @property
    def exif(self) -> bytes:
        """The TIFF data with the orientation, or nothing."""
        return self.chunks.get(b"eXIf", b"")

    def profile(self, spaces: tuple[bytes, ...]) -> Profile | None:
        """Return the picture's colour space; None for sRGB.

        Args:
            spaces: The allowed colour spaces of a profile, as profiles spell them.

        Raises:
            HdrError: The picture has a high dynamic range.
        """
        points = self.chunks.get(b"cICP", b"")
        known = CodePoints(points[0], points[1]).profile() if len(points) == 4 else None
        if known:
            return known
        embedded = _unpacked(self.chunks.get(b"iCCP", b""))
        if icc.is_profile(embedded):
            return icc.first_usable(embedded, spaces)
        if b"sRGB" in self.chunks:
            return None
        return self._by_gamma()

    def _by_gamma(self) -> Profile | None:
        stored = self.chunks.get(b"gAMA", b"")
        gamma = struct.unpack(">I", stored)[0] / 100_000 if len(stored) == 4 else 0.0
        if gamma == 0:
            return None
        curve = Curve(parameters=(1 / gamma, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
        named = self.chunks.get(b"cHRM", b"")
        if len(named) == 32:
            white_x, white_y, *others = (value / 100_000 for value in struct.unpack(">8I", named))
            colours = [(others[i], others[i + 1]) for i in (0, 2, 4)]
            return matrix_profile([*colours, (white_x, white_y)], curve)
        low, high = _DEFAULT_GAMMA
        return None if low <= gamma <= high else matrix_profile(_SRGB, curve)


def read(file: IO[bytes]) -> Ahead:
    """Return the chunks before the pixels of a PNG file; no chunks for other files."""
    chunks: dict[bytes, bytes] = {}
    file.seek(0)
    if file.read(8) == _SIGNATURE:
        for _ in range(MAX_CHUNKS):
            head = file.read(8)
            if len(head) < 8:
                break
            length, name = struct.unpack(">I4s", head)
            if name == b"IDAT":
                break
            if name in _WANTED and name not in chunks and length <= _WANTED[name] + 100:
                chunks[name] = file.read(length)
                file.seek(4, 1)
            else:
                file.seek(length + 4, 1)
    return Ahead(chunks)


def _unpacked(chunk: bytes) -> bytes:
    """Return the profile in an `iCCP` chunk; empty if it is damaged or too large."""
    _, _, packed = chunk.partition(b"\0")
    try:
        inflate = zlib.decompressobj()
        content = inflate.decompress(packed[1:], icc.MAX_BYTES)
    except zlib.error:
        return b""
    return content if packed[:1] == b"\0" and inflate.eof else b""
