"""Digests with which the page and its service worker check the site's files before use.

They are written as in the W3C's Subresource Integrity: SHA-256 in base 64, of the content without
any Content-Encoding.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import unquote

from toolchain import digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def of_bytes(content: bytes) -> str:
    """Return the digest of some content, such as `sha256-47DEQpj8…`."""
    return _written(digest.of_bytes(content))


def of_file(path: Path) -> str:
    """Return the digest of a file's content."""
    return _written(digest.of_file(path))


def of_files(site: Path, urls: Iterable[str]) -> dict[str, str]:
    """Return the digests of files of the site, by their URLs relative to the page."""
    return {url: of_file(site / unquote(url)) for url in urls}


def _written(sha256: str) -> str:
    return f"sha256-{base64.b64encode(bytes.fromhex(sha256)).decode()}"
