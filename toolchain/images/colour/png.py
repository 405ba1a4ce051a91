"""What a PNG file says before its pixels, read without its pixels."""

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
"""With how much of each is looked at, in bytes."""
MAX_CHUNKS = 1000
_DEFAULT_GAMMA = (0.44, 0.477)
"""About that of sRGB's curve: such a picture is shown as it is, unless it names its colours."""
_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290))


@dataclass(frozen=True)
class Ahead:
    """The chunks before the first pixels, each by its name; of several the first."""

    chunks: Mapping[bytes, bytes]

    @property
    def depth(self) -> int:
        """Bits a channel; 8 where it does not say."""
        header = self.chunks.get(b"IHDR", b"")
        return header[8] if len(header) == 13 else 8

    @property
    def exif(self) -> bytes:
        """The TIFF data with the orientation, or nothing."""
        return self.chunks.get(b"eXIf", b"")

    def profile(self, spaces: tuple[bytes, ...]) -> Profile | None:
        """Return what the colours mean, or None for sRGB.

        Args:
            spaces: The colour spaces that a profile may be for, as profiles spell them.

        Raises:
            HdrError: They are those of a high dynamic range.
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
    """Return what stands before the pixels of a PNG file; nothing where it is none."""
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
    """Return the profile of an `iCCP` chunk; nothing where it is damaged or too large."""
    _, _, packed = chunk.partition(b"\0")
    try:
        inflate = zlib.decompressobj()
        content = inflate.decompress(packed[1:], icc.MAX_BYTES)
    except zlib.error:
        return b""
    return content if packed[:1] == b"\0" and inflate.eof else b""
