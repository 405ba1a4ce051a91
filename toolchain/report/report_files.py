"""Writes a site's report, and adds later findings to it.

`report.json` is the record, `report.html` shows it, and `report.networks.json` is the part that
the page shows to its visitors. All are written together.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import disk, lock
from toolchain.errors import BadInputError, ToolchainError
from toolchain.records import build_report
from toolchain.report import page, published, thumbnails, training_chapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.cache.store import Store
    from toolchain.records.card import Provenance
    from toolchain.records.evaluation import Evaluation
    from toolchain.records.pareto import ParetoFront
    from toolchain.sources.trained import TrainedModel

RECORD = "report.json"
PAGE = "report.html"
NETWORKS = "report.networks.json"
_OF_TRAINING = ("training", "training_thumbnails", "test_thumbnails")


def write(site: Path, report: build_report.Report) -> None:
    """Write a report's three files into a site, replacing those that are there.

    Raises:
        ToolchainError: The folder cannot be written.
    """
    try:
        # The record first, so that it is kept if rendering the page fails.
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
        site: The site.
        before: Its report when the examination began.
        change: Adds the findings to a report.

    Raises:
        BadInputError: The report is gone.
        ToolchainError: The site was rebuilt in the meantime, or cannot be written.
    """
    with ExitStack() as stack:
        # The lock keeps the findings of other processes. If nothing can be written beside the
        # site, there is no lock, and no other way to share one.
        with suppress(OSError):
            stack.enter_context(lock.beside(site))
        report = build_report.read(site)
        if report.files != before.files:
            raise ToolchainError(
                f"{site} was rebuilt while it was examined, so its report was not changed; run "
                "this again"
            )
        write(site, change(report))


def keep_evaluation(site: Path, before: build_report.Report, found: Evaluation) -> None:
    """Put an evaluation, with thumbnails, into a site's report, replacing the last one.

    Raises:
        BadInputError: The report is gone.
        ToolchainError: The site was rebuilt in the meantime, or cannot be written.
    """
    pictures = thumbnails.of(Path(found.folder), (change.photo for change in found.changed))
    new = {"evaluation": found, "thumbnails": pictures}
    amend(site, before, lambda report: report.model_copy(update=new))


def require_same_model(site: Path, report: build_report.Report, model: Provenance) -> None:
    """Check that a site was built from a model.

    Raises:
        BadInputError: It was built from another one.
    """
    if report.card.provenance.sha256 != model.sha256:
        raise BadInputError(
            f"{site} was built from {report.card.provenance.name}, not from {model.name}; give a "
            "site of the same model"
        )


def keep_front(site: Path, before: build_report.Report, found: ParetoFront) -> None:
    """Put the Pareto front of a site's model into its report, replacing the last one.

    Raises:
        BadInputError: The report is gone.
        ToolchainError: The site was rebuilt in the meantime, or cannot be written.
    """
    amend(site, before, lambda report: report.model_copy(update={"front": found}))


def with_training(
    report: build_report.Report, model: TrainedModel | None, store: Store
) -> build_report.Report:
    """Return a report with the record of its model's training, and thumbnails of its photos.

    Args:
        report: The report of a build.
        model: The model; None if `toolchain train` did not make it.
        store: The cache, which keeps the thumbnails.

    Raises:
        ToolchainError: The cache cannot be written to.
    """
    if model is None:
        return report
    training = model.record
    own, test = training_chapter.shown_photos(training)
    new = {
        "training": training,
        "training_thumbnails": thumbnails.kept(model.photos, own, store),
        "test_thumbnails": thumbnails.kept(model.tested, test, store),
    }
    return report.model_copy(update=new)


def with_what_was_found(new: build_report.Report, site: Path) -> build_report.Report:
    """Return a build's report with the earlier findings about the same site.

    If the build did not change the site, its former report gets the present record of training:
    another training can make the same model.

    Args:
        new: The report of the finished build.
        site: The built site; if the build did not change it, it still has its former report.

    Raises:
        ToolchainError: The site was rebuilt in the meantime, or cannot be written.
    """
    try:
        kept = build_report.read(site)
    except BadInputError:
        # The site is the same, but another version of toolchain wrote its report.
        write(site, new)
        return new
    trained = {name: getattr(new, name) for name in _OF_TRAINING}
    if trained != {name: getattr(kept, name) for name in _OF_TRAINING}:
        amend(site, kept, lambda report: report.model_copy(update=trained))
    found = ("measurements", "evaluation", "thumbnails", "front")
    return new.model_copy(update={name: getattr(kept, name) for name in found})
