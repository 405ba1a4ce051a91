"""A site's report keeps all that is found out of it, also by several processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests import reports
from tests.watchdog import HANG_S
from toolchain.records import build_report
from toolchain.report import report_files

if TYPE_CHECKING:
    from pathlib import Path

MEASURING = """
import sys
from pathlib import Path
from tests import reports
from toolchain.pipeline.measure import keep
from toolchain.records import build_report
site = Path(sys.argv[1])
before = build_report.read(site)
print("ready", flush=True); sys.stdin.readline()
for number in range(6):
    found = reports.measurement("4g", 100.0, 50.0)
    network = found.network.model_copy(update={"name": f"{sys.argv[2]} {number}"})
    keep(site, before, found.model_copy(update={"network": network}))
"""


def test_processes_at_once_lose_nothing_of_what_was_found(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    report_files.write(site, reports.smallest().model_copy(update={"measurements": ()}))
    path = os.pathsep.join(sys.path)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", MEASURING, str(site), name],
            # Each has a cache of its own: the lock is the site's.
            env={**os.environ, "PYTHONPATH": path, "TOOLCHAIN_CACHE": str(tmp_path / name)},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in "ab"
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=HANG_S)
    assert [process.returncode for process in running] == [0, 0]
    found = {each.network.name for each in build_report.read(site).measurements}
    assert found == {f"{name} {number}" for name in "ab" for number in range(6)}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
