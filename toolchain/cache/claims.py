"""Folders that belong to a process as long as it runs.

Each has a lock file beside it, which the system frees when the process ends, in any way. So the
folders of killed processes are recognised without comparing times.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Claim:
    """A folder that belongs to this process."""

    folder: Path
    _lock: FileLock
    _process: int = field(default_factory=os.getpid)

    def release(self) -> None:
        """Remove the folder; does nothing in a fork of the process that made it."""
        if os.getpid() == self._process:
            _remove(self.folder)
            self._lock.release()


def claim(parent: Path) -> Claim:
    """Make an empty folder in `parent`, and remove the folders of processes that have ended.

    The caller must make sure that only one process at a time calls this for a `parent`.

    Raises:
        OSError: The folder cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    folder = Path(mkdtemp(dir=parent))
    lock = _lock_of(folder)
    lock.acquire(timeout=0)
    return Claim(folder, lock)


def holding(parent: Path, name: str) -> Iterator[Path]:
    """Yield the folders in `parent` that hold a file of this name and whose process still runs."""
    try:
        files = [folder / name for folder in parent.iterdir()]
    except FileNotFoundError:
        return
    for file in files:
        if file.exists() and not _is_of_the_dead(file.parent):
            yield file.parent


def _is_of_the_dead(folder: Path) -> bool:
    with suppress(OSError, Timeout), _lock_of(folder).acquire(timeout=0):
        return True
    return False


def _lock_of(folder: Path) -> FileLock:
    # Another thread than the one that took it may release it.
    return FileLock(f"{folder}.lock", thread_local=False)


def _sweep(parent: Path) -> None:
    for folder in {path.with_suffix("") for path in parent.iterdir()}:
        with suppress(OSError, Timeout), _lock_of(folder).acquire(timeout=0):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder and its lock; the caller must hold the lock."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        Path(_lock_of(folder).lock_file).unlink()
