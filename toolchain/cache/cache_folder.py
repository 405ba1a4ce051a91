"""A cache folder that processes share: its locks, scratch folders, and marks of entries in use."""

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
"""The default size limit of a cache, in bytes. Chosen, not measured."""
PLACE, BOUND = "TOOLCHAIN_CACHE", "TOOLCHAIN_CACHE_MAX"
"""The environment variables that set the folder of the cache and its size limit."""
OTHERWISE = f"set {PLACE} to a folder of yours on another disk"
"""What to do if the disk refuses; the end of an error sentence."""
MANIFEST = "entry.json"
"""The file of an entry that lists its other files; its mtime is the time of the last use."""

_LAYOUT = "v1"  # a new layout uses a new folder; folders of old layouts are never read
_USES = "uses"


class CacheFolder:
    """A folder that keeps entries, each as `KIND/KEY`.

    Args:
        root: The folder; created when first written to.
        limit: Size limit in bytes.
    """

    def __init__(self, root: Path, limit: int = LIMIT) -> None:
        self.root = root
        self.limit = limit
        self.base = root / _LAYOUT
        """The folder with the entries of this layout, each as `KIND/KEY`."""
        self._claim: claims.Claim | None = None
        self._claiming = threading.Lock()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder on the cache's own disk; it is removed when the block ends.

        If the process is killed, the next process that needs such a folder removes this one.

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
        """Hold the lock called `name`; the system frees it when the process ends.

        Args:
            name: Any text.
            timeout: The longest wait for another process, in seconds; None for 15 minutes.
            doing: See :func:`toolchain.lock.held`; None for "working on `name`".
            progress: Told when the wait takes more than a few seconds.

        Raises:
            ToolchainError: Another process held the lock for `timeout` seconds, or the cache
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
        """Return the file of the lock called `name`."""
        return self.base / "locks" / f"{digest.of_bytes(name.encode())[:32]}.lock"

    def lock_file_of(self, kind: str, key: str) -> Path:
        """Return the lock file of an entry, to be held while the entry is made, read or removed."""
        return self.lock_file(name_of(kind, key))

    def in_use(self, kind: str, key: str) -> bool:
        """Tell whether a running process, which may be this one, has read or written an entry."""
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
                    continue  # someone has emptied the cache
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
        """What a process that holds a lock of the cache is doing, for the message of a wait."""
        return f"reading or writing {self.name}"

    @property
    def name(self) -> str:
        """How messages name the cache."""
        return f"the cache {self.root}"

    def _unwritable(self, error: OSError) -> ToolchainError:
        return disk.DiskError(disk.sentence(self.name, error, OTHERWISE))


def name_of(kind: str, key: str) -> str:
    """Return the name of an entry, used for its lock and for its mark of use."""
    return f"{kind}-{key}"
