"""`toolchain deploy` and `toolchain rollback`: deploy a site to a host, and undo it."""

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
    """Deploy a built site to a host: files with a hash in the name first, `index.html` last.

    Args:
        site: The built site.
        target: A folder, `user@host:/folder`, `s3://bucket/folder`, `gh-pages`,
            `git:REPOSITORY#branch`, `cloudflare-pages:PROJECT` or `netlify:SITE`.
        endpoint: Address of a bucket's service, if it is not AWS.
        encoding: How a bucket's objects are compressed.
        dry_run: Whether to change nothing and only return what would be done.
        with_report: Whether to include `report.json` and `report.html`.
        grace: How long files of replaced releases stay.
        progress: Advances with each byte sent.

    Raises:
        BadInputError: There is no site, the target is not valid, or the site exceeds a limit.
        ToolchainError: The host cannot be used. Visitors get a whole site, old or new.
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
    """Restore the release that a host had before the present one.

    Args:
        target: As in :func:`deploy`.
        endpoint: As in :func:`deploy`.
        encoding: As in :func:`deploy`.
        dry_run: As in :func:`deploy`.
        progress: Advances with each file.

    Raises:
        ToolchainError: The host cannot be used, or has no earlier release.
    """
    where = address.parse(target, endpoint=endpoint, encoding=encoding)
    return stage.rollback(where, progress=progress, dry_run=dry_run)
