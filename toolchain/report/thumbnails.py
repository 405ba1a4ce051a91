"""Makes thumbnails of photos, as text inside the report."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.images import pictures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SIDE = 128  # pixels at most; shown at half that size, so that they look sharp
_QUALITY = 70


def of(folder: Path, photos: Iterable[str]) -> dict[str, str]:
    """Return photos, by their paths in a folder, as `data:` URLs of small upright JPEGs.

    Photos that can no longer be read are left out. Only the pixels of a photo are kept: no place,
    time or camera.
    """
    from PIL import Image

    found = {}
    for name in photos:
        try:
            upright = pictures.read(folder / name)
        except BadInputError:
            continue
        upright.thumbnail((_SIDE, _SIDE))
        clean = Image.new("RGB", upright.size)
        clean.paste(upright)
        written = io.BytesIO()
        clean.save(written, "JPEG", quality=_QUALITY, optimize=True)
        found[name] = f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
    return found
