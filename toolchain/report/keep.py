"""Writes a site's report, and amends it when more is known of the site.

`report.json` is the record, `report.html` shows it, and `report.networks.json` is what of it
the page shows to its visitors; all are written together.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import disk, lock
from toolchain.errors import BadInputError, ToolchainError
from toolchain.report import page, published, schema, thumbnails

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.compress.front import Front
    from toolchain.evaluation.record import Evaluation

RECORD = "report.json"
PAGE = "report.html"
NETWORKS = "report.networks.json"


def write(site: Path, report: schema.Report) -> None:
    """Write a report and what is made of it into a site, in place of what is there.

    Raises:
        ToolchainError: The folder cannot be written.
    """
    try:
        # The record first: nothing that is wrong with the page may cost what was found.
        for name, text in (
            (RECORD, report.to_json),
            (PAGE, lambda: page.render(report)),
            (NETWORKS, lambda: published.networks(report).to_json()),
        ):
            part = site / f"{name}.part"
            part.write_text(text(), "utf-8")
            part.replace(site / name)
    except OSError as error:
        raise ToolchainError(
            disk.sentence(f"the report in {site}", error, "make the folder writable")
        ) from error


def amend(
    site: Path, before: schema.Report, change: Callable[[schema.Report], schema.Report]
) -> None:
    """Change a site's report.

    Args:
        site: The site that something was found out of.
        before: Its report as it was then.
        change: Puts in what was found.

    Raises:
        BadInputError: The report has gone.
        ToolchainError: The site was built anew meanwhile, or cannot be written.
    """
    with ExitStack() as stack:
        # What another process finds out of the same site meanwhile is not to be lost. Where
        # nothing can be written beside the site there is no lock, and no other way to share one.
        with suppress(OSError):
            stack.enter_context(lock.beside(site))
        report = schema.read(site)
        if report.files != before.files:
            raise ToolchainError(
                f"{site} was built anew while it was examined, so its report stays; do the same "
                "again"
            )
        write(site, change(report))


def keep_evaluation(site: Path, before: schema.Report, found: Evaluation) -> None:
    """Put an evaluation into a site's report, in place of the last one, with its photos.

    Raises:
        BadInputError: The report has gone.
        ToolchainError: The site was built anew meanwhile, or cannot be written.
    """
    pictures = thumbnails.of(Path(found.folder), (change.photo for change in found.changed))
    new = {"evaluation": found, "thumbnails": pictures}
    amend(site, before, lambda report: report.model_copy(update=new))


def keep_front(site: Path, before: schema.Report, found: Front) -> None:
    """Put the front of a site's model into its report, in place of the last one.

    Raises:
        BadInputError: The front is of another model, or the report has gone.
        ToolchainError: The site was built anew meanwhile, or cannot be written.
    """
    if before.card.provenance.sha256 != found.sha256:
        raise BadInputError(
            f"{site} was built from {before.card.provenance.name}, another model than "
            f"{found.name}; give a site of the same one"
        )
    amend(site, before, lambda report: report.model_copy(update={"front": found}))


def with_what_was_found(new: schema.Report, site: Path) -> schema.Report:
    """Return a build's report with what was found out of the same site before.

    Args:
        new: The report of a build that ended.
        site: Where it put the site; one that is the same keeps its own report.
    """
    try:
        kept = schema.read(site)
    except BadInputError:
        # Another version of this tool wrote it, of a site that is the same.
        write(site, new)
        return new
    found = ("measurements", "evaluation", "thumbnails", "front")
    return new.model_copy(update={name: getattr(kept, name) for name in found})
