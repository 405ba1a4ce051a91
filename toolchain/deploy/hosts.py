"""What kinds of hosts can and cannot do, and whether a release fits one.

The figures are the hosts' own, as they publish them for their free plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.site.host_files import HEADERS_FILE
from toolchain.units import size as written

if TYPE_CHECKING:
    from toolchain.deploy.release import Release

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


def check(host: Host, release: Release) -> None:
    """See that a host takes a release, before anything is sent.

    Args:
        host: Where it is to go.
        release: What is to go.

    Raises:
        BadInputError: It does not; the sentence names the limit and the way round it.
    """
    for path, fact in release.files.items():
        if host.file_bytes is not None and fact.size > host.file_bytes:
            raise BadInputError(
                f"{path} has {written(fact.size)} and {host.name} takes at most "
                f"{written(host.file_bytes)} for a file; build with a smaller --shard-size"
            )
    total = sum(fact.size for fact in release.files.values())
    if host.site_bytes is not None and total > host.site_bytes:
        raise BadInputError(
            f"the site has {written(total)} and {host.name} takes at most "
            f"{written(host.site_bytes)}; build fewer variants, or choose another host"
        )
    if host.files is not None and len(release.files) > host.files:
        raise BadInputError(
            f"the site has {len(release.files):,} files and {host.name} takes at most "
            f"{host.files:,}; build with a larger --shard-size"
        )
    if HEADERS_FILE in release.files:
        _check_headers(host, (release.site / HEADERS_FILE).read_text("utf-8"))


def _check_headers(host: Host, text: str) -> None:
    lines = text.splitlines()
    rules = sum(1 for line in lines if line and not line.startswith(" "))
    if host.header_rules is not None and rules > host.header_rules:
        raise BadInputError(
            f"{HEADERS_FILE} has {rules} rules and {host.name} reads at most "
            f"{host.header_rules}; keep assets of your own in one folder with hashed names"
        )
    longest = max(map(len, lines), default=0)
    if host.header_line is not None and longest > host.header_line:
        raise BadInputError(
            f"{HEADERS_FILE} has a line of {longest:,} characters and {host.name} reads at "
            f"most {host.header_line:,}; shorten the header of that line"
        )
