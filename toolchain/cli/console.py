"""Shows progress on standard error: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from toolchain.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.progress import Unit


class PlainConsole(Console):
    """A console that prints texts literally, so that a hostile text cannot control the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text, or a cell of a table, without control characters."""
        return super().render_str("\n".join(map(printable, text.split("\n"))), **options)


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


class _RateColumn(ProgressColumn):
    """The rate: `12.3 photos/s`, or `2.5 s/photo`."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self._unit: Unit = unit

    def render(self, task: Task) -> Text:
        """Return the rate, or an empty text if it is unknown."""
        speed = task.finished_speed or task.speed
        return Text(_rate(speed, self._unit) if speed else "", style="progress.data.speed")


def _rate(speed: float, unit: Unit) -> str:
    """Format units per second, or seconds per unit if that is below one."""
    if unit == "bytes":
        return f"{speed / 1e6:.1f} MB/s"
    return f"{speed:.1f} {unit}/s" if speed >= 1 else f"{1 / speed:.1f} s/{unit[:-1]}"


class Terminal:
    """A :class:`toolchain.progress.Progress` that writes to standard error.

    Args:
        quiet: Whether to write warnings only.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        # Its own descriptor, because the usual one is redirected while TensorFlow runs.
        stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")
        self._console = PlainConsole(file=stream, highlight=False, soft_wrap=True)

    def say(self, message: str) -> None:
        """Print one line."""
        if not self._quiet:
            self._console.print(message, markup=False)

    def warn(self, message: str) -> None:
        """Print one line in a warning's style."""
        self._console.print(f"warning: {message}", markup=False, style="yellow")

    @contextmanager
    def track(
        self, label: str, total: int | None = None, unit: Unit = "steps"
    ) -> Iterator[_Bar | _Count]:
        """Draw a bar, or print one line when the work is done."""
        if self._console.is_terminal and not self._quiet:
            with Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn() if unit == "bytes" else MofNCompleteColumn(),
                _RateColumn(unit),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            ) as progress:
                yield _Bar(progress, progress.add_task(label, total=total))
            return
        begun = time.perf_counter()
        count = _Count()
        yield count
        seconds = time.perf_counter() - begun
        done = f"{count.done / 1e6:.1f} MB" if unit == "bytes" else f"{count.done} {unit}"
        rate = f", {_rate(count.done / seconds, unit)}" if count.done else ""
        self.say(f"{label}: {done} in {seconds:.1f} s{rate}")
