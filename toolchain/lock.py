"""Locks on what lies outside the cache: they lie beside it, so any two processes share them.

A lock in the cache would not do: two builds may have two caches, and one lock file or one site.
The system frees a lock when its process dies.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 900.0
"""Seconds that another process may hold a lock."""


@contextmanager
def beside(place: Path) -> Iterator[None]:
    """Hold the lock on a file or folder, which need not be there; nothing is left afterwards.

    Args:
        place: Through links, for the lock is on what they lead to.

    Raises:
        ToolchainError: Another process has held it for a quarter of an hour.
        OSError: Nothing can be written beside it, or its folder is missing.
    """
    real = place.resolve()
    if not real.parent.is_dir():  # which the lock would make
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(real.parent))
    lock = FileLock(real.with_name(f".{real.name}.lock"))
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise ToolchainError(
            f"another toolchain process has been writing {place} for {PATIENCE:.0f} s; "
            "wait for it to end, or end it, and run this again"
        ) from error
    try:
        yield
    finally:
        # While it is held: whoever waits for it sees that the file is gone, and makes another.
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()
