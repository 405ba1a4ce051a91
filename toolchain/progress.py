"""How long work tells what it is doing, without knowing who listens.

Stages take a :class:`Progress`; the command line gives one that draws bars on a
terminal and prints plain lines elsewhere, and tests give one that keeps what it hears.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

Unit = Literal["bytes", "photos", "layers", "points", "visits", "steps"]
"""What work is counted in."""


class Tracker(Protocol):
    """One piece of long work under way."""

    def advance(self, amount: int) -> None:
        """Say that so much more is done, in the work's unit."""


class Progress(Protocol):
    """Where stages report to."""

    def say(self, message: str) -> None:
        """Pass on one line that is good to know."""

    def warn(self, message: str) -> None:
        """Pass on one line that the user should act on."""

    def track(
        self, label: str, total: int | None = None, unit: Unit = "steps"
    ) -> AbstractContextManager[Tracker]:
        """Follow work of so many units in all (None: not known) until the block ends."""


class _Untracked:
    def advance(self, amount: int) -> None:
        """Forget it."""


class Silent:
    """A :class:`Progress` that says nothing."""

    def say(self, message: str) -> None:
        """Forget it."""

    def warn(self, message: str) -> None:
        """Forget it."""

    @contextmanager
    def track(
        self,
        label: str,  # noqa: ARG002
        total: int | None = None,  # noqa: ARG002
        unit: Unit = "steps",  # noqa: ARG002
    ) -> Iterator[Tracker]:
        """Follow nothing."""
        yield _Untracked()


SILENT = Silent()
