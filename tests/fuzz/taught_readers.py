"""Files in which pages hand on taught tags, and how they are damaged."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from tests.fuzz import damage
from tests.fuzz.archive_readers import zip_of
from tests.fuzz.reader import Reader, Strategy, in_file
from toolchain.records import none_of_these
from toolchain.training import taught_photos, taught_tags

if TYPE_CHECKING:
    from pathlib import Path


def listed(**changes: Any) -> dict[str, Any]:
    """Return the content of `tags.json` for two tags and three features."""
    return {
        "format": "toolchain taught tags",
        "version": 1,
        "model": {"name": "tiny", "sha256": "ab" * 32},
        "width": 3,
        "tags": ["Rose", "tulip"],
        "none_of_these": none_of_these.make(np.eye(2), [0, 2], 0.5).model_dump(),
        "features": "float16",
        "photos": [{"tag": 0, "name": "a.jpg", "file": None}],
        **changes,
    }


def files_of(content: bytes) -> dict[str, bytes]:
    """Return all files of such a zip, with this `tags.json`."""
    layer = np.arange(8, dtype="<f4").tobytes()
    return {"tags.json": content, "layer.bin": layer, "features.bin": bytes(6)}


def _zips() -> Strategy:
    whole = zip_of(files_of(json.dumps(listed()).encode()), zipfile.ZIP_STORED)
    inside = st.builds(
        lambda content: zip_of(files_of(content), zipfile.ZIP_STORED), damage.json_like(listed())
    )
    return st.one_of(inside, damage.bytes_like(whole))


def _with_photos() -> Strategy:
    """Return a strategy for such zips with two photos of each tag, whose list is damaged."""
    photos = [
        {"tag": place % 2, "name": f"{place} a.jpg", "file": f"photos/{place}.jpg"}
        for place in range(4)
    ]
    contents = {str(photo["file"]): b"a picture" for photo in photos}
    return st.builds(
        lambda content: zip_of(files_of(content) | contents, zipfile.ZIP_STORED),
        damage.json_like(listed(photos=photos)),
    )


def _unpack(path: Path) -> None:
    out = path.with_name("photos")
    out.mkdir()
    taught_photos.unpack(path, out)
    inside = [each for each in path.parent.rglob("*") if each.is_file() and each != path]
    assert all(len(each.relative_to(out).parts) == 2 for each in inside)


READERS: dict[str, Reader] = {
    "taught-photos": Reader(_with_photos, in_file("taught.zip", _unpack)),
    "taught-tags": Reader(_zips, in_file("taught.zip", taught_tags.read)),
}
