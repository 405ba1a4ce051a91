"""Compresses the site's files ahead of time, and writes `.br` and `.gz` files beside them.

Brotli at its highest level takes seconds per megabyte, so each result is cached under the digest
of the content and the fingerprint of the code. A compressed file that saves too little is not
written. Files that a quick deflate cannot make smaller, such as packed weights, are not tried.
"""

from __future__ import annotations

import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.cache import fingerprint
from toolchain.tfjs.transfer import brotli

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress

ENCODINGS = {"br": ".br", "gzip": ".gz"}
_INCOMPRESSIBLE = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".woff2", ".br", ".gz"})
_WORTHWHILE = 0.98  # of the original's size; chosen, not measured


@dataclass(frozen=True)
class Sizes:
    """Bytes of one file, uncompressed and in each encoding."""

    raw: int
    gzip: int
    brotli: int


def precompress(site: Path, *, store: Store, progress: Progress) -> Mapping[str, Sizes]:
    """Write `.br` and `.gz` files beside every file that gets smaller by it.

    Returns:
        The sizes of every file of the site, by its path. Where a compressed file is not worth
        writing, its size is that of the uncompressed file.
    """
    files = sorted(file for file in site.rglob("*") if file.is_file())
    total = sum(file.stat().st_size for file in files)

    def handle(file: Path) -> Sizes:
        sizes = _compress(file, store, progress)
        tracker.advance(sizes.raw)
        return sizes

    with (
        progress.track("Compressing", total, "bytes") as tracker,
        # Both codecs release the interpreter lock, so threads help.
        ThreadPoolExecutor() as pool,
    ):
        sizes = pool.map(handle, files)
        return {
            file.relative_to(site).as_posix(): size for file, size in zip(files, sizes, strict=True)
        }


def _compress(file: Path, store: Store, progress: Progress) -> Sizes:
    content = file.read_bytes()
    if file.suffix in _INCOMPRESSIBLE or not _worthwhile(zlib.compress(content, 1), content):
        return Sizes(len(content), len(content), len(content))
    # The suffix is part of the key, because it decides how a file is compressed.
    key = digest.of_json([digest.of_bytes(content), file.suffix, fingerprint.of(__name__)])

    def make(folder: Path) -> None:
        (folder / "br").write_bytes(brotli(file.name, content))
        # No time stamp, so equal contents give equal bytes.
        (folder / "gzip").write_bytes(gzip.compress(content, 9, mtime=0))
        fingerprint.require_unchanged(__name__)

    def read(kept: Path) -> dict[str, bytes]:
        return {encoding: (kept / encoding).read_bytes() for encoding in ENCODINGS}

    found, _ = store.result(
        "encoded",
        key,
        read=read,
        make=make,
        doing=f"compressing the same {file.name}",
        progress=progress,
    )
    sizes = {}
    for encoding, suffix in ENCODINGS.items():
        encoded = found[encoding]
        if worthwhile := _worthwhile(encoded, content):
            file.with_name(file.name + suffix).write_bytes(encoded)
        sizes[encoding] = len(encoded) if worthwhile else len(content)
    return Sizes(len(content), sizes["gzip"], sizes["br"])


def _worthwhile(encoded: bytes, content: bytes) -> bool:
    return len(encoded) <= len(content) * _WORTHWHILE
