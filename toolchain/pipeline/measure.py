"""`toolchain measure`: visits a site, and puts what they cost into its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.measurement import stage
from toolchain.progress import SILENT, Progress
from toolchain.records import build_report
from toolchain.report import report_files

if TYPE_CHECKING:
    from toolchain.records.visit_figures import Measurement


def measure(options: stage.MeasureOptions, *, progress: Progress = SILENT) -> Measurement:
    """Visit a site in Chromium, and write what it cost into the report of a folder.

    Raises:
        BadInputError: There is no site of this tool at that path.
        MissingToolError: Playwright or Chromium is not installed.
        ToolchainError: The page showed no tag, or ran on another backend than asked for.
    """
    if options.is_address:
        return stage.measure(options, progress=progress)
    site = Path(options.site)
    before = build_report.read(site)
    found = stage.measure(options, progress=progress)
    keep(site, before, found)
    return found


def keep(site: Path, before: build_report.Report, measurement: Measurement) -> None:
    """Put a measurement into a site's report, in place of the last one of its sort.

    Args:
        site: The site that was measured.
        before: Its report as it was then.
        measurement: What was found.

    Raises:
        ToolchainError: The site was built anew meanwhile.
    """

    def sort(one: Measurement) -> tuple[str, str | None, str]:
        return one.network.name, one.host, one.backend

    def changed(report: build_report.Report) -> build_report.Report:
        others = [one for one in report.measurements if sort(one) != sort(measurement)]
        return report.model_copy(update={"measurements": (*others, measurement)})

    report_files.amend(site, before, changed)
