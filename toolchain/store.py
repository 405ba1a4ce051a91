"""The cache on disk: results of stages under the digest of what they were made from.

An entry is a folder that appears whole or not at all. It is written beside its place,
listed in a manifest with every file's SHA-256, size and time, and renamed in. What no
longer matches its manifest (a file lost, cut or changed) is taken for absent and made
anew. As in git's index, a file whose size and time stand is not read again to prove it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
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
        content = entry / _CONTENT
        try:
            listed = json.loads((entry / _MANIFEST).read_text("utf-8"))["files"]
            found = dict(_files(content))
            whole = found.keys() == listed.keys() and all(
                _is_as_listed(path, **listed[name]) for name, path in found.items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return content if whole else None

    def has(self, kind: str, key: str) -> bool:
        """Tell whether there is an entry, be it whole or damaged."""
        return (self._base / kind / key).exists()

    def require(self, kind: str, key: str) -> Path:
        """Return the content folder of an entry that was just put.

        Raises:
            ToolchainError: It is not there, or not as it was written.
        """
        if (content := self.get(kind, key)) is None:
            raise ToolchainError(
                f"the cache {self.root} does not keep what is written to it; check that disk, "
                "or set TOOLCHAIN_CACHE to another folder"
            )
        return content

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
            raise self._unwritable(error) from error
        try:
            yield content
            manifest = {"files": {name: _listed(path) for name, path in _files(content)}}
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
            ToolchainError: Another process kept it for `timeout` seconds, or the cache
                cannot be written to.
        """
        folder = self._base / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{digest.of_bytes(name.encode())[:32]}.lock")
            lock.acquire(timeout=timeout)
        except Timeout as error:
            raise ToolchainError(
                f"another toolchain process has been working on {name} for {timeout:.0f} s; "
                "wait for it to end, or end it, and run this again"
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    def _unwritable(self, error: OSError) -> ToolchainError:
        return ToolchainError(
            f"the cache {self.root} cannot be written: {error.strerror}; "
            "set TOOLCHAIN_CACHE to a folder of yours"
        )


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _listed(path: Path) -> dict[str, str | int]:
    status = path.stat()
    return {
        "sha256": digest.of_file(path),
        "bytes": status.st_size,
        "time_ns": status.st_mtime_ns,
    }


def _is_as_listed(path: Path, sha256: str, bytes: int, time_ns: int) -> bool:  # noqa: A002
    status = path.stat()
    if status.st_size != bytes:
        return False
    return status.st_mtime_ns == time_ns or digest.of_file(path) == sha256


def _sweep(parent: Path) -> None:
    """Remove what processes that died left behind long ago."""
    for folder in parent.iterdir():
        # Another process may be sweeping the same.
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(folder, ignore_errors=True)
