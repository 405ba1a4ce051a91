"""Which way up a photo is shown: by what browsers look at, and nothing else."""

from __future__ import annotations

import struct

UPRIGHT, _LAST = 1, 8
_TAG = 0x0112
_SHORT = 3


def of_exif(content: bytes) -> int:
    """Return the orientation, 1 to 8, that EXIF data names; 1 where it names none.

    Args:
        content: The data from its TIFF header on.
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
        pass  # it is cut off
    return UPRIGHT
