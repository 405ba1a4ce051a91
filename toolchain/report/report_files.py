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
from toolchain.records import build_report
from toolchain.report import page, published, thumbnails

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.records.card import Provenance
    from toolchain.records.evaluation import Evaluation
    from toolchain.records.pareto import ParetoFront

RECORD = "report.json"
PAGE = "report.html"
NETWORKS = "report.networks.json"


def write(site: Path, report: build_report.Report) -> None:
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
    site: Path,
    before: build_report.Report,
    change: Callable[[build_report.Report], build_report.Report],
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
        report = build_report.read(site)
        if report.files != before.files:
            raise ToolchainError(
                f"{site} was built anew while it was examined, so its report stays; do the same "
                "again"
            )
        write(site, change(report))


def keep_evaluation(site: Path, before: build_report.Report, found: Evaluation) -> None:
    """Put an evaluation into a site's report, in place of the last one, with its photos.

    Raises:
        BadInputError: The report has gone.
        ToolchainError: The site was built anew meanwhile, or cannot be written.
    """
    pictures = thumbnails.of(Path(found.folder), (change.photo for change in found.changed))
    new = {"evaluation": found, "thumbnails": pictures}
    amend(site, before, lambda report: report.model_copy(update=new))


def require_same_model(site: Path, report: build_report.Report, model: Provenance) -> None:
    """Require that a site was built from a model.

    Raises:
        BadInputError: It was built from another one.
    """
    if report.card.provenance.sha256 != model.sha256:
        raise BadInputError(
            f"{site} was built from {report.card.provenance.name}, another model than "
            f"{model.name}; give a site of the same one"
        )


def keep_front(site: Path, before: build_report.Report, found: ParetoFront) -> None:
    """Put the Pareto front of a site's model into its report, in place of the last one.

    Raises:
        BadInputError: The report has gone.
        ToolchainError: The site was built anew meanwhile, or cannot be written.
    """
    amend(site, before, lambda report: report.model_copy(update={"front": found}))


def with_what_was_found(new: build_report.Report, site: Path) -> build_report.Report:
    """Return a build's report with what was found out of the same site before.

    Args:
        new: The report of a build that ended.
        site: Where it put the site; one that is the same keeps its own report.
    """
    try:
        kept = build_report.read(site)
    except BadInputError:
        # Another version of this tool wrote it, of a site that is the same.
        write(site, new)
        return new
    found = ("measurements", "evaluation", "thumbnails", "front")
    return new.model_copy(update={name: getattr(kept, name) for name in found})
