"""A site's report keeps all that is found out of it, also by several processes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import reports
from tests.at_once import run_at_once
from toolchain.records import build_report
from toolchain.report import report_files

if TYPE_CHECKING:
    from pathlib import Path

PREPARE = """
import sys
from pathlib import Path
from tests import reports
from toolchain.pipeline.measure import keep
from toolchain.records import build_report
site = Path(sys.argv[1])
before = build_report.read(site)
"""
KEEP = """
for number in range(6):
    found = reports.measurement("4g", 100.0, 50.0)
    network = found.network.model_copy(update={"name": f"{sys.argv[2]} {number}"})
    keep(site, before, found.model_copy(update={"network": network}))
"""


def test_processes_at_once_lose_nothing_of_what_was_found(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    report_files.write(site, reports.smallest().model_copy(update={"measurements": ()}))
    # Each has a cache of its own: the lock is the site's.
    run_at_once(PREPARE, KEEP, [(tmp_path / name, (str(site), name)) for name in "ab"])
    found = {each.network.name for each in build_report.read(site).measurements}
    assert found == {f"{name} {number}" for name in "ab" for number in range(6)}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
