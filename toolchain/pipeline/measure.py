"""`toolchain measure`: measures visits to a site, and adds the figures to its report."""

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
    """Measure visits to a site in Chromium; if it is a folder, add the figures to its report.

    Raises:
        BadInputError: There is no built site at that path.
        MissingToolError: Playwright or Chromium is not installed.
        ToolchainError: The page showed no tag, or ran on another backend than requested.
    """
    if options.is_address:
        return stage.measure(options, progress=progress)
    site = Path(options.site)
    before = build_report.read(site)
    found = stage.measure(options, progress=progress)
    keep(site, before, found)
    return found


def keep(site: Path, before: build_report.Report, measurement: Measurement) -> None:
    """Put a measurement into a site's report, replacing that of the same network and backend.

    Args:
        site: The site that was measured.
        before: Its report when the measurement began.
        measurement: The measurement.

    Raises:
        ToolchainError: The site was rebuilt in the meantime.
    """

    def sort(one: Measurement) -> tuple[str, str | None, str]:
        return one.network.name, one.host, one.backend

    def changed(report: build_report.Report) -> build_report.Report:
        others = [one for one in report.measurements if sort(one) != sort(measurement)]
        return report.model_copy(update={"measurements": (*others, measurement)})

    report_files.amend(site, before, changed)
