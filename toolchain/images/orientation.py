"""The EXIF orientation of a photo, read in the same way as browsers."""

from __future__ import annotations

import struct

UPRIGHT, _LAST = 1, 8
_TAG = 0x0112
_SHORT = 3


def of_exif(content: bytes) -> int:
    """Return the orientation in EXIF data, 1 to 8; 1 if there is none.

    Args:
        content: The EXIF data, starting with its TIFF header.
    """
    form = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if form is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{form}I", content, 4)
        (count,) = struct.unpack_from(f"{form}H", content, start)
        for number in range(count):
            tag, kind, values, value = struct.unpack_from(
                f"{form}HHIHxx", content, start + 2 + 12 * number
            )
            if tag == _TAG:
                known = kind == _SHORT and values == 1 and UPRIGHT <= value <= _LAST
                return int(value) if known else UPRIGHT
    except struct.error:
        pass  # the data is cut off
    return UPRIGHT
