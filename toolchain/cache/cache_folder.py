"""A folder that processes share as a cache: locks, scratch folders, and what is in use."""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from toolchain import digest, disk
from toolchain import lock as locks
from toolchain.cache import claims

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolchain.errors import ToolchainError
    from toolchain.progress import Progress

LIMIT = 10_000_000_000
"""Bytes that a cache may hold where nothing else is said."""
PLACE, BOUND = "TOOLCHAIN_CACHE", "TOOLCHAIN_CACHE_MAX"
"""The environment variables that say where the cache is, and how much it may hold."""
OTHERWISE = f"set {PLACE} to a folder of yours on another disk"
"""The way out where the disk refuses."""
MANIFEST = "entry.json"
"""The file of an entry that lists the others; its time is that of the last use."""

_LAYOUT = "v1"  # a new layout starts a new folder; old ones are never read
_USES = "uses"


class CacheFolder:
    """A folder that keeps entries, each as `KIND/KEY`.

    Args:
        root: Where to keep them; made when first written to.
        limit: Bytes that it may hold.
    """

    def __init__(self, root: Path, limit: int = LIMIT) -> None:
        self.root = root
        self.limit = limit
        self.base = root / _LAYOUT
        """Where entries of this layout lie, each as `KIND/KEY`."""
        self._claim: claims.Claim | None = None
        self._claiming = threading.Lock()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder on the store's own disk, which goes when the block ends.

        What a process that is killed leaves there, the next one that wants a folder removes.

        Raises:
            ToolchainError: The cache cannot be written to.
        """
        claim = self._claimed("scratch")
        try:
            yield claim.folder
        finally:
            claim.release()

    @contextmanager
    def lock(
        self,
        name: str,
        timeout: float | None = None,
        *,
        doing: str | None = None,
        progress: Progress | None = None,
    ) -> Iterator[None]:
        """Hold the lock called `name`; the system frees it when a process dies.

        Args:
            name: Any text.
            timeout: Seconds to wait for another process at most; None: a quarter of an hour.
            doing: As :func:`toolchain.lock.held`; None: working on what the name says.
            progress: Hears of it when one has to wait.

        Raises:
            ToolchainError: Another process kept it for `timeout` seconds, or the cache
                cannot be written to.
        """
        with ExitStack() as stack:
            try:
                file = self.lock_file(name)
                file.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(
                    locks.held(
                        file,
                        doing=doing or f"working on {name}",
                        progress=progress,
                        timeout=timeout,
                    )
                )
            except OSError as error:
                raise self._unwritable(error) from error
            yield

    def lock_file(self, name: str) -> Path:
        """Return the file that is the lock called `name`."""
        return self.base / "locks" / f"{digest.of_bytes(name.encode())[:32]}.lock"

    def lock_file_of(self, kind: str, key: str) -> Path:
        """Return the lock of an entry, held by whoever makes, reads or removes it."""
        return self.lock_file(name_of(kind, key))

    def in_use(self, kind: str, key: str) -> bool:
        """Tell whether a living process, this one too, has got or put an entry."""
        return any(claims.holding(self.base / _USES, name_of(kind, key)))

    def note_use(self, kind: str, key: str) -> None:
        """Note that this process uses an entry from now on."""
        with self._claiming:
            for fresh in (False, True):
                if self._claim is None or fresh:
                    self._claim = self._claimed(_USES)
                    weakref.finalize(self, self._claim.release)
                try:
                    (self._claim.folder / name_of(kind, key)).touch()
                except FileNotFoundError:
                    continue  # the cache was emptied from outside
                except OSError as error:
                    raise self._unwritable(error) from error
                return

    def _claimed(self, where: str) -> claims.Claim:
        with self.lock(where, doing=self.at_work):
            try:
                return claims.claim(self.base / where)
            except OSError as error:
                raise self._unwritable(error) from error

    @property
    def at_work(self) -> str:
        """What a process does that holds a lock of the cache, for whoever waits."""
        return f"reading or writing {self.name}"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"the cache {self.root}"

    def _unwritable(self, error: OSError) -> ToolchainError:
        return disk.DiskError(disk.sentence(self.name, error, OTHERWISE))


def name_of(kind: str, key: str) -> str:
    """Return the name of an entry, of which its lock and its use are called."""
    return f"{kind}-{key}"
