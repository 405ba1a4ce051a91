"""Progress for a person: bars on a terminal, plain lines anywhere else; on standard error."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.progress import Unit


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, amount: int) -> None:
        self._progress.advance(self._task, amount)


class _Count:
    def __init__(self) -> None:
        self.done = 0

    def advance(self, amount: int) -> None:
        self.done += amount


class Terminal:
    """A :class:`toolchain.progress.Progress` that writes for a person.

    Args:
        quiet: Whether to write warnings only.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        # A descriptor of its own: the usual one is diverted while TensorFlow runs.
        stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")
        self._console = Console(file=stream, highlight=False, soft_wrap=True)

    def say(self, message: str) -> None:
        """Print one line."""
        if not self._quiet:
            self._console.print(message, markup=False)

    def warn(self, message: str) -> None:
        """Print one line that stands out."""
        self._console.print(f"warning: {message}", markup=False, style="yellow")

    @contextmanager
    def track(
        self, label: str, total: int | None = None, unit: Unit = "steps"
    ) -> Iterator[_Bar | _Count]:
        """Draw a bar, or print one line when the work is done."""
        if self._console.is_terminal and not self._quiet:
            amounts = (
                (DownloadColumn(), TransferSpeedColumn())
                if unit == "bytes"
                else (MofNCompleteColumn(),)
            )
            columns = (TextColumn("{task.description}"), BarColumn(), *amounts)
            with Progress(
                *columns, TimeRemainingColumn(), console=self._console, transient=True
            ) as progress:
                yield _Bar(progress, progress.add_task(label, total=total))
            return
        begun = time.perf_counter()
        count = _Count()
        yield count
        done = f"{count.done / 1e6:.1f} MB" if unit == "bytes" else f"{count.done} steps"
        self.say(f"{label}: {done} in {time.perf_counter() - begun:.1f} s")
