"""Progress reports of long work, independent of how they are shown.

Stages take a :class:`Progress`. The command line passes one that draws bars on a terminal and
prints plain lines elsewhere; tests pass one that keeps the messages.
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
    """A piece of long work in progress."""

    def advance(self, amount: int) -> None:
        """Report that `amount` more units of the work are done."""


class Progress(Protocol):
    """What stages report their progress to."""

    def say(self, message: str) -> None:
        """Show one line of information."""

    def warn(self, message: str) -> None:
        """Show one line that the user should act on."""

    def track(
        self, label: str, total: int | None = None, unit: Unit = "steps"
    ) -> AbstractContextManager[Tracker]:
        """Track work of `total` units (None: not known) until the block ends."""


class _Untracked:
    def advance(self, amount: int) -> None:
        """Ignore it."""


class Silent:
    """A :class:`Progress` that shows nothing."""

    def say(self, message: str) -> None:
        """Ignore it."""

    def warn(self, message: str) -> None:
        """Ignore it."""

    @contextmanager
    def track(
        self,
        label: str,  # noqa: ARG002
        total: int | None = None,  # noqa: ARG002
        unit: Unit = "steps",  # noqa: ARG002
    ) -> Iterator[Tracker]:
        """Track nothing."""
        yield _Untracked()


SILENT = Silent()
