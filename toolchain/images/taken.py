"""When a photo was taken, as its camera wrote it into the file (EXIF 2.32, section 4.6.5)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from toolchain.images import pictures

if TYPE_CHECKING:
    from pathlib import Path

_EXIF_FOLDER = 0x8769
_TAKEN = 0x9003  # DateTimeOriginal
_CHANGED = 0x0132  # DateTime


def when(path: Path) -> datetime | None:
    """Return the time at which a photo was taken, in the camera's own time zone.

    Returns:
        None if the file does not tell it, or is not a picture.
    """
    from PIL import Image

    try:
        with path.open("rb") as file, Image.open(file, formats=pictures.formats_of(file)) as image:
            exif = image.getexif()
            said = exif.get_ifd(_EXIF_FOLDER).get(_TAKEN) or exif.get(_CHANGED)
        return datetime.strptime(str(said), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - it has none
    except Exception:  # noqa: BLE001 - Pillow's readers raise most of Python's exceptions
        return None
