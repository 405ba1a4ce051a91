"""The cache on disk: results of stages under the digest of what they were made from.

An entry is a folder that appears whole or not at all. It is written beside its place,
listed in a manifest with the SHA-256 of every file, and renamed in. What no longer
matches its manifest (a file lost, cut or changed) is taken for absent and made anew.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from toolchain import digest
from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAYOUT = "v1"  # a new layout starts a new folder; old ones are never read
_MANIFEST = "entry.json"
_CONTENT = "content"
_ABANDONED_AFTER = 24 * 3600.0  # seconds after which a half-made entry is swept


class Store:
    """A folder of finished stage results.

    Args:
        root: Where to keep them; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._base = root / _LAYOUT

    @classmethod
    def default(cls) -> Store:
        """Return the user's store: `$TOOLCHAIN_CACHE`, or the platform's cache folder."""
        if configured := os.environ.get("TOOLCHAIN_CACHE"):
            return cls(Path(configured))
        import platformdirs

        return cls(Path(platformdirs.user_cache_dir("toolchain", appauthor=False)))

    def get(self, kind: str, key: str) -> Path | None:
        """Return the content folder of an entry, or None when it is absent or damaged."""
        entry = self._base / kind / key
        try:
            manifest = json.loads((entry / _MANIFEST).read_text("utf-8"))
            listed: dict[str, str] = manifest["files"]
            content = entry / _CONTENT
            found = _listing(content)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return content if found == listed else None

    @contextmanager
    def put(self, kind: str, key: str) -> Iterator[Path]:
        """Give an empty folder to fill; it becomes the entry when the block ends well.

        Raises:
            ToolchainError: The cache cannot be written to.
        """
        try:
            scratch = self.scratch()
            content = scratch / _CONTENT
            content.mkdir()
        except OSError as error:
            raise ToolchainError(
                f"the cache {self.root} cannot be written: {error.strerror}; "
                "set TOOLCHAIN_CACHE to a folder of yours"
            ) from error
        try:
            yield content
            manifest = {"files": _listing(content)}
            (scratch / _MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
            entry = self._base / kind / key
            entry.parent.mkdir(parents=True, exist_ok=True)
            self.discard(kind, key)
            scratch.rename(entry)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def discard(self, kind: str, key: str) -> None:
        """Remove an entry, if it is there, so that readers never see a part of it."""
        entry = self._base / kind / key
        if entry.exists():
            doomed = self.scratch() / "discarded"
            entry.rename(doomed)
            shutil.rmtree(doomed.parent, ignore_errors=True)

    def scratch(self) -> Path:
        """Return a new empty folder on the store's own disk; the caller removes it."""
        parent = self._base / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        return Path(mkdtemp(dir=parent))

    @contextmanager
    def lock(self, name: str, timeout: float = 900.0) -> Iterator[None]:
        """Hold the lock called `name`; the system frees it when a process dies.

        Raises:
            ToolchainError: Another process kept it for `timeout` seconds.
        """
        folder = self._base / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{digest.of_bytes(name.encode())[:32]}.lock"
        lock = FileLock(path)
        try:
            lock.acquire(timeout=timeout)
        except Timeout as error:
            raise ToolchainError(
                f"another toolchain process has been working on {name} for {timeout:.0f} s; "
                "wait for it to end, or end it, and run this again"
            ) from error
        try:
            yield
        finally:
            lock.release()


def _listing(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): digest.of_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _sweep(parent: Path) -> None:
    """Remove what processes that died left behind long ago."""
    for folder in parent.iterdir():
        try:
            if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            continue  # another process swept it
