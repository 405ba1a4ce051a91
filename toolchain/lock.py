"""Locks between processes, and what the user hears while one waits for another.

The system frees a lock when the process that holds it ends, however it ends.

What lies outside the cache has its lock beside it. A lock in the cache would not do: two builds
may have two caches, and one lock file or one site.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from toolchain.errors import ToolchainError
from toolchain.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolchain.progress import Progress

PATIENCE = 900.0
"""Seconds that another process may hold a lock."""
_SILENT = 3.0  # seconds of waiting before the user is told


@contextmanager
def held(
    path: Path, *, doing: str, progress: Progress | None = None, timeout: float | None = None
) -> Iterator[None]:
    """Hold the lock that is this file.

    Args:
        path: The lock file; it is made, and stays.
        doing: What the process that holds it is doing, to follow "another process is": such as
            `converting the model cats.keras`.
        progress: Hears of it when waiting takes more than a few seconds.
        timeout: Seconds to wait at most; None: a quarter of an hour.

    Raises:
        ToolchainError: Another process kept it all that time.
        OSError: The lock file cannot be made.
    """
    patience = PATIENCE if timeout is None else timeout
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=min(patience, _SILENT))
        except Timeout:
            if patience <= _SILENT:
                raise
            (progress or Silent()).say(
                f"Waiting: another toolchain process is {doing} (for {patience / 60:.0f} minutes "
                "at most)"
            )
            lock.acquire(timeout=patience - _SILENT)
    except Timeout as error:
        raise ToolchainError(
            f"another toolchain process has been {doing} for {patience:.0f} s; "
            "wait for it to end, or end it, and run this again"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def tried(path: Path) -> Iterator[bool]:
    """Hold the lock that is this file if nobody else does; tell whether it is held.

    Raises:
        OSError: The lock file cannot be made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def beside(place: Path, progress: Progress | None = None) -> Iterator[None]:
    """Hold the lock on a file or folder, which need not be there; nothing is left afterwards.

    Args:
        place: Through links, for the lock is on what they lead to.
        progress: Hears of it when waiting takes more than a few seconds.

    Raises:
        ToolchainError: Another process has held it for a quarter of an hour.
        OSError: Nothing can be written beside it, or its folder is missing.
    """
    real = place.resolve()
    if not real.parent.is_dir():  # which the lock would make
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(real.parent))
    lock = real.with_name(f".{real.name}.lock")
    with held(lock, doing=f"writing {place}", progress=progress):
        try:
            yield
        finally:
            # While it is held: whoever waits for it sees that the file is gone, and makes another.
            with suppress(OSError):
                lock.unlink()
