"""What a visitor downloads of a model: its files as a host with Brotli sends them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.tfjs.artifacts import Artifacts

# As the site's `.br` files are made.
_QUALITY = 11
_WINDOW = 24


def brotli_bytes(folder: Path, artifacts: Artifacts) -> int:
    """Return the bytes of `model.json` and of all shards, each behind Brotli.

    Shards that are compressed already travel as they are. The others take seconds a
    megabyte, on as many cores as there are files.
    """
    import brotli

    packed = "packing" in json.loads((folder / artifacts.model_json).read_text("utf-8"))

    def compressed(name: str) -> int:
        content = (folder / name).read_bytes()
        if packed and name in artifacts.shards:
            return len(content)
        return len(brotli.compress(content, quality=_QUALITY, lgwin=_WINDOW))

    # Brotli releases the interpreter's lock while it works.
    with ThreadPoolExecutor() as pool:
        return sum(pool.map(compressed, (artifacts.model_json, *artifacts.shards)))
