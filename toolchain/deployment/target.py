"""The interface of a place that a site can be deployed to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from toolchain.deployment.hosts import Host
    from toolchain.site.build_info import FileFact


@dataclass(frozen=True)
class Item:
    """One file that a target should have."""

    path: str
    """Its path at the target, below the site's root."""
    source: Path | None
    """The file on this machine; None if there is none, and the target should have it already."""
    size: int
    sha256: str


class Target(ABC):
    """A place that a site is deployed to; used as a context manager."""

    host: Host
    name: str
    """Its name in messages."""
    certain: bool = True
    """Whether :meth:`read` returns what visitors get, not just what was last sent."""

    def __enter__(self) -> Self:
        """Prepare the target; most targets need nothing.

        Raises:
            ToolchainError: The target cannot be reached.
        """
        return self

    def __exit__(  # noqa: B027 - most targets have nothing to release
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release resources. Without a call of :meth:`finish`, nothing takes effect here."""

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """Return a small file's content, or None if there is no such file."""

    @abstractmethod
    def differing(self, items: Sequence[Item]) -> frozenset[str]:
        """Return the paths whose file is missing or differs at the target."""

    @abstractmethod
    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        """Send files, each completely or not at all.

        Args:
            items: The files, in any order.
            sent: Called with the bytes that have been sent.
        """

    @abstractmethod
    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; missing ones are skipped."""

    def finish(  # noqa: B027 - most targets have nothing left to do
        self, message: str, shown: Mapping[str, FileFact]
    ) -> None:
        """Make the changes take effect, if they have not already.

        Args:
            message: Describes the deploy, for a log.
            shown: All files of the release, by path. A target whose changes take effect only now
                checks all of them, including those that were there before.
        """
