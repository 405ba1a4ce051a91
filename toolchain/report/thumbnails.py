"""Makes thumbnails of photos, as text inside the report."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.images import pictures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from toolchain.cache.store import Store

_SIDE = 128  # pixels at most; shown at half that size, so that they look sharp
_QUALITY = 70
_FILE = "thumbnails.json"


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


def kept(folder: Path | None, photos: Sequence[str], store: Store) -> dict[str, str]:
    """Return the same as :func:`of`, from the cache if no photo has changed since.

    A photo counts as changed if its size or the time of its last change is another one. Without a
    folder there are no thumbnails.

    Raises:
        ToolchainError: The cache cannot be written to.
    """
    states = [] if folder is None else [_state(folder / name) for name in photos]
    if folder is None or not any(states):
        return {}
    key = digest.of_json(
        {
            "code": fingerprint.of(__name__),
            "photos": [*zip(photos, states, strict=True)],
        }
    )

    def make(content: Path) -> None:
        made = of(folder, photos)
        fingerprint.require_unchanged(__name__)
        (content / _FILE).write_text(json.dumps(made), "utf-8")

    def read(content: Path) -> dict[str, str]:
        found: dict[str, str] = json.loads((content / _FILE).read_text("utf-8"))
        return found

    return store.result("thumbnails", key, read=read, make=make, doing="making thumbnails")[0]


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
