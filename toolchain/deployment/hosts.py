"""The limits and features of each kind of host.

The figures are those that the hosts publish for their free plans.
"""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True)
class Host:
    """A kind of host."""

    name: str
    negotiates: bool = False
    """Whether it sends the `.br` and `.gz` files to browsers that accept them."""
    reads_headers_file: bool = False
    """Whether it reads `_headers`."""
    file_bytes: int | None = None
    site_bytes: int | None = None
    files: int | None = None
    header_rules: int | None = None
    header_line: int | None = None
    """Largest number of characters in a line of `_headers`."""


FOLDER = Host("a web server's folder", negotiates=True)
BUCKET = Host("a bucket", file_bytes=5 << 30)
GITHUB_PAGES = Host("GitHub Pages", file_bytes=100 * _MIB, site_bytes=10**9)
CLOUDFLARE_PAGES = Host(
    "Cloudflare Pages",
    reads_headers_file=True,
    file_bytes=25 * _MIB,
    files=20_000,
    header_rules=100,
    header_line=2_000,
)
NETLIFY = Host("Netlify", reads_headers_file=True, files=54_000)
