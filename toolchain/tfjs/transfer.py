"""What a visitor downloads of a model: its files behind Brotli, as a host sends them."""

from __future__ import annotations

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

    Takes seconds a megabyte, on as many cores as there are files.
    """
    import brotli

    def compressed(name: str) -> int:
        content = (folder / name).read_bytes()
        return len(brotli.compress(content, quality=_QUALITY, lgwin=_WINDOW))

    # Brotli releases the interpreter's lock while it works.
    with ThreadPoolExecutor() as pool:
        return sum(pool.map(compressed, (artifacts.model_json, *artifacts.shards)))
