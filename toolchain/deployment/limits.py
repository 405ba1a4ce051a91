"""Checks a release against the limits of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.site import build_info
from toolchain.site.host_files import HEADERS_FILE
from toolchain.units import size as written

if TYPE_CHECKING:
    from toolchain.deployment.hosts import Host
    from toolchain.deployment.release import Release


def check(host: Host, release: Release) -> None:
    """Check before anything is sent that a release keeps the host's limits.

    Args:
        host: The kind of host.
        release: The release to send.

    Raises:
        BadInputError: It does not; the message names the limit and what to do.
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
        if build_info.origins_of(release.site).vary:
            raise BadInputError(
                f"the site lets several origins read its files, and {host.name} sends everyone the "
                "same header, which names one; build with one --cors, or with --cors '*'"
            )
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
