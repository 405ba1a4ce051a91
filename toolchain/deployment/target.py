"""What a place must be able to do so that a site can be deployed to it."""

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
    """One file that is to be at a place."""

    path: str
    """There, below the site's root."""
    source: Path | None
    """Here; None for one that should be there and is not here."""
    size: int
    sha256: str


class Target(ABC):
    """A place that a site is deployed to; used as a context."""

    host: Host
    name: str
    """For people."""
    certain: bool = True
    """Whether what is read here is what visitors get, and not only what was last sent."""

    def __enter__(self) -> Self:
        """Get ready; most places need nothing.

        Raises:
            ToolchainError: The place cannot be reached.
        """
        return self

    def __exit__(  # noqa: B027 - most places have nothing to let go of
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go; without :meth:`finish` before it, nothing more is done."""

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """Return a small file's content, or None where there is none."""

    @abstractmethod
    def differing(self, items: Sequence[Item]) -> frozenset[str]:
        """Return the paths at which the place has no file or another one."""

    @abstractmethod
    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        """Bring files there, each whole or not at all.

        Args:
            items: In any order.
            sent: Called with the bytes of what has been brought.
        """

    @abstractmethod
    def remove(self, paths: Sequence[str]) -> None:
        """Take files away; those that are not there are passed over."""

    def finish(  # noqa: B027 - in most places it has already
        self, message: str, shown: Mapping[str, FileFact]
    ) -> None:
        """Make what was done take effect, where it has not already.

        Args:
            message: What was done, for a log.
            shown: What the whole release is, by its paths. A place that takes effect only now
                compares all of it, also what was there before this deploy.
        """
