"""`toolchain deploy` and `toolchain rollback`: bring a site to a host, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.deployment import address, stage
from toolchain.progress import SILENT, Progress

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from toolchain.deployment.bucket import Encoding


def deploy(
    site: Path,
    target: str,
    *,
    endpoint: str | None = None,
    encoding: Encoding = "gzip",
    dry_run: bool = False,
    with_report: bool = False,
    grace: timedelta = stage.GRACE,
    progress: Progress = SILENT,
) -> stage.Outcome:
    """Bring a built site to a host: names with a hash first, `index.html` last.

    Args:
        site: The built site.
        target: A folder, `user@host:/folder`, `s3://bucket/folder`, `gh-pages`,
            `git:REPOSITORY#branch`, `cloudflare-pages:PROJECT` or `netlify:SITE`.
        endpoint: Address of a bucket's service, where it is not AWS.
        encoding: How a bucket's objects are compressed.
        dry_run: Whether to change nothing and only say what would be done.
        with_report: Whether `report.json` and `report.html` go too.
        grace: How long files of replaced releases stay.
        progress: Hears of the bytes.

    Raises:
        BadInputError: There is no site, the target names none, or a limit of it is exceeded.
        ToolchainError: The host cannot be used; it shows the old site or the new, whole.
    """
    return stage.deploy(
        site,
        address.parse(target, endpoint=endpoint, encoding=encoding),
        progress=progress,
        dry_run=dry_run,
        with_report=with_report,
        grace=grace,
    )


def rollback(
    target: str,
    *,
    endpoint: str | None = None,
    encoding: Encoding = "gzip",
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> stage.Outcome:
    """Bring back the site that a host showed before the present one.

    Args:
        target: As of :func:`deploy`.
        endpoint: Likewise.
        encoding: Likewise.
        dry_run: Likewise.
        progress: Likewise.

    Raises:
        ToolchainError: The host cannot be used, or keeps no earlier site.
    """
    where = address.parse(target, endpoint=endpoint, encoding=encoding)
    return stage.rollback(where, progress=progress, dry_run=dry_run)
