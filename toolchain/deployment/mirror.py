"""What this machine knows of a host that cannot be asked: a copy of all that it was handed.

Work is done in a draft of the copy; the draft takes the copy's place once the host has all of
it. What fails in between leaves the copy as it was, and it never claims what was not handed over.
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
    """Return where such copies are kept: `$TOOLCHAIN_STATE`, or the platform's state folder.

    They are no cache: the history of a host's releases is nowhere else.
    """
    if configured := os.environ.get("TOOLCHAIN_STATE"):
        return Path(configured)
    import platformdirs

    return Path(platformdirs.user_state_dir("toolchain", appauthor=False))


class Mirror:
    """The copy of one host's site.

    Args:
        names: Of the host and what is there, below the state folder; each the name of a folder.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._home = state_folder().joinpath("hosts", *names)
        self._lock = FileLock(self._home / "lock")
        self._draft: Path | None = None

    def begin(self) -> Path:
        """Return the folder of a new draft, which holds what the host was last handed.

        Raises:
            ToolchainError: Another deploy has one, or the state folder cannot be written.
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
                f"another deploy from here to {self._home.name} is under way; wait for its end"
            ) from error
        except OSError as error:
            self.end()
            raise ToolchainError(
                f"{self._home} cannot be written: {error.strerror}; set TOOLCHAIN_STATE to a "
                "folder of yours"
            ) from error
        return self._draft

    def keep(self) -> None:
        """Let the draft be the copy: the host has it."""
        if self._draft is None:
            raise RuntimeError("no draft was begun")
        # A link is changed at once, where a folder would be away for an instant.
        link = self._home / f"{self._draft.name}.link"
        link.symlink_to(self._draft.name)
        link.replace(self._home / _LIVE)

    def end(self) -> None:
        """Let go of the draft."""
        self._draft = None
        if self._lock.is_locked:
            self._sweep()
            self._lock.release()

    def _sweep(self) -> None:
        """Remove all drafts but the one that the copy is; the lock is held."""
        live = (self._home / _LIVE).resolve()
        for path in self._home.glob(f"{_DRAFT}*"):
            if path.is_symlink():
                path.unlink()
            elif path != live and path.resolve() != live:
                shutil.rmtree(path, ignore_errors=True)
