"""Files in which pages hand on taught tags, and how they are damaged."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.fuzz import damage
from tests.fuzz.archive_readers import zip_of
from tests.fuzz.reader import Reader, Strategy, in_file
from toolchain.records import none_of_these
from toolchain.training import taught_tags


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


READERS: dict[str, Reader] = {
    "taught-tags": Reader(_zips, in_file("taught.zip", taught_tags.read)),
}
