"""`toolchain evaluate`: judges a model on photos, and adds the result to a site's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.cache.store import Store
from toolchain.errors import ToolchainError
from toolchain.evaluation import stage
from toolchain.progress import SILENT, Progress
from toolchain.records import build_report
from toolchain.report import report_files

if TYPE_CHECKING:
    from toolchain.records.evaluation import Evaluation


def evaluate(
    options: stage.EvaluationOptions, *, store: Store | None = None, progress: Progress = SILENT
) -> Evaluation:
    """Judge a site or a model on photos, and write the result into a site's report.

    The report holds only the evaluation of a site's first variant. Those of other variants are
    returned but not written.

    Args:
        options: What to judge, and by which photos.
        store: The cache; None for the user's.
        progress: Shows each step.

    Raises:
        BadInputError: The photos, the model or the reference cannot be used.
        ToolchainError: A model cannot be fetched, or the workers failed.
    """
    store = store or Store.default()
    if (site := options.request.site) is None:
        return stage.evaluate(options, store=store, progress=progress)
    before = build_report.read(site)
    found = stage.evaluate(options, store=store, progress=progress)
    if options.variant not in (None, before.quantization):
        return found
    try:
        report_files.keep_evaluation(site, before, found)
    except ToolchainError as error:
        progress.warn(str(error))
    return found
