"""Keeps a copy of everything that was uploaded to a host whose files cannot be listed.

A deploy works on a draft, and the draft replaces the copy once the host has everything. A failed
deploy leaves the copy unchanged, so it never holds anything that was not uploaded.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DRAFT = "draft-"
_LIVE = "live"


def state_folder() -> Path:
    """Return the folder of these copies: `$TOOLCHAIN_STATE`, or the platform's state folder.

    It is not a cache: the history of a host's releases is stored nowhere else.
    """
    if configured := os.environ.get("TOOLCHAIN_STATE"):
        return Path(configured)
    import platformdirs

    return Path(platformdirs.user_state_dir("toolchain", appauthor=False))


class Mirror:
    """The copy of one host's site.

    Args:
        names: Folder names below the state folder, for the host and the project.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._home = state_folder().joinpath("hosts", *names)
        self._lock = FileLock(self._home / "lock")
        self._draft: Path | None = None

    def begin(self) -> Path:
        """Return the folder of a new draft, a copy of what was last uploaded.

        Raises:
            ToolchainError: Another deploy is running, or the state folder cannot be written.
        """
        live = self._home / _LIVE
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            self._sweep()
            self._draft = Path(mkdtemp(prefix=_DRAFT, dir=self._home))
            if live.is_dir():
                shutil.copytree(live, self._draft, dirs_exist_ok=True)
        except Timeout as error:
            raise ToolchainError(
                f"another deploy from here to {self._home.name} is running; wait until it ends"
            ) from error
        except OSError as error:
            self.end()
            raise ToolchainError(
                f"{self._home} cannot be written: {error.strerror}; set TOOLCHAIN_STATE to a "
                "folder that you can write to"
            ) from error
        return self._draft

    def keep(self) -> None:
        """Make the draft the copy, once the host has it."""
        if self._draft is None:
            raise RuntimeError("no draft was begun")
        # A symbolic link can be replaced in one step; a folder would be missing for an instant.
        link = self._home / f"{self._draft.name}.link"
        link.symlink_to(self._draft.name)
        link.replace(self._home / _LIVE)

    def end(self) -> None:
        """Give up the draft and release the lock."""
        self._draft = None
        if self._lock.is_locked:
            self._sweep()
            self._lock.release()

    def _sweep(self) -> None:
        """Remove all drafts but the one that is the copy; the lock is held."""
        live = (self._home / _LIVE).resolve()
        for path in self._home.glob(f"{_DRAFT}*"):
            if path.is_symlink():
                path.unlink()
            elif path != live and path.resolve() != live:
                shutil.rmtree(path, ignore_errors=True)
