"""Runs Python code in several processes that begin at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.watchdog import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WAIT = "import sys; print('ready', flush=True); sys.stdin.readline()\n"


def run_at_once(prepare: str, work: str, calls: Iterable[tuple[Path, tuple[str, ...]]]) -> None:
    """Run code in one process for each call; all begin `work` once all have run `prepare`.

    Args:
        prepare: Python code, such as imports, which take longer in one process than in another.
        work: Python code that is to run in all processes at once.
        calls: The cache folder of each process, and its `sys.argv[1:]`.

    Raises:
        AssertionError: A process failed; its output is on this process's error output.
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-c", prepare + WAIT + work, *arguments],
            env=environment(cache),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for cache, arguments in calls
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
    assert [process.returncode for process in running] == [0] * len(running)


def environment(cache: Path) -> dict[str, str]:
    """Return the environment of a process that imports what this one can, with its own cache."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TOOLCHAIN_CACHE": str(cache)}
