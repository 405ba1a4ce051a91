"""What kinds of hosts can and cannot do.

The figures are the hosts' own, as they publish them for their free plans.
"""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True)
class Host:
    """A kind of host."""

    name: str
    negotiates: bool = False
    """Whether it sends `.br` and `.gz` neighbours to whoever accepts them."""
    reads_headers_file: bool = False
    """Whether it goes by `_headers`."""
    file_bytes: int | None = None
    site_bytes: int | None = None
    files: int | None = None
    header_rules: int | None = None
    header_line: int | None = None
    """Characters that a line of `_headers` may have."""


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
