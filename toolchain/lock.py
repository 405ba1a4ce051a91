"""Locks between processes, and the message that the user gets while one waits for another.

The system frees a lock when the process that holds it ends, in any way.

For a file or folder outside the cache, the lock lies beside it and not in the cache: two builds
with different caches may write the same lock file or the same site.
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
"""Seconds to wait for a lock that another process holds. Chosen, not measured."""
_SILENT = 3.0  # seconds of waiting before the user is told; chosen, not measured


@contextmanager
def held(
    path: Path, *, doing: str, progress: Progress | None = None, timeout: float | None = None
) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        path: The lock file; it is created, and stays.
        doing: What the process that holds the lock is doing. It follows "another process is", so
            for instance `converting the model cats.keras`.
        progress: Told when the wait takes more than a few seconds.
        timeout: The longest wait, in seconds; None for 15 minutes.

    Raises:
        ToolchainError: Another process held the lock all that time.
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
                f"Waiting at most {patience / 60:.0f} minutes: another toolchain process is {doing}"
            )
            lock.acquire(timeout=patience - _SILENT)
    except Timeout as error:
        raise ToolchainError(
            f"another toolchain process has been {doing} for {patience:.0f} s; "
            "wait until it ends, or stop it, and run this again"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def tried(path: Path) -> Iterator[bool]:
    """Try to take a lock without waiting; yield whether it is held now.

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
    """Hold the lock on a file or folder that may not exist yet, and remove the lock afterwards.

    Args:
        place: The file or folder. Links are followed: the lock is on what they lead to.
        progress: Told when the wait takes more than a few seconds.

    Raises:
        ToolchainError: Another process has held the lock for 15 minutes.
        OSError: The lock cannot be written beside it, or its parent folder is missing.
    """
    real = place.resolve()
    if not real.parent.is_dir():  # FileLock would create it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(real.parent))
    lock = real.with_name(f".{real.name}.lock")
    with held(lock, doing=f"writing {place}", progress=progress):
        try:
            yield
        finally:
            # Removed while it is held: a waiting process sees that it is gone and makes a new one.
            with suppress(OSError):
                lock.unlink()
