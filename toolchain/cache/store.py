"""The cache on disk: results of stages under the digest of what they were made from.

An entry is a folder that appears whole or not at all. It is written beside its place,
listed in a manifest with every file's size and SHA-256, and renamed in. What no longer
matches its manifest (a file lost, cut or changed) is taken for absent and made anew. No
clock is asked: a process that died is known by the lock that it no longer holds.

What was not used for longest goes when the cache grows beyond its bound (`inventory`). An entry
that a living process has got or put stays: each process keeps a list of those that it uses.
The manifest's time says when an entry was last used; a wrong one costs a rebuild and nothing else.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from toolchain import digest, disk, units
from toolchain.cache import inventory
from toolchain.cache.cache_folder import (
    BOUND,
    LIMIT,
    MANIFEST,
    OTHERWISE,
    PLACE,
    CacheFolder,
    name_of,
)
from toolchain.errors import BadInputError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolchain.progress import Progress


_CONTENT = "content"

_Result = TypeVar("_Result")


class Store(CacheFolder):
    """A folder of finished stage results.

    Args:
        root: Where to keep them; made when first written to.
        limit: Bytes that it may hold; beyond that go those that were not used for longest.
    """

    @classmethod
    def default(cls) -> Store:
        """Return the user's store: `$TOOLCHAIN_CACHE`, or the platform's cache folder.

        Raises:
            BadInputError: `$TOOLCHAIN_CACHE_MAX` is no size.
        """
        try:
            limit = units.bytes_of(os.environ.get(BOUND) or str(LIMIT))
        except ValueError as error:
            raise BadInputError(f"{BOUND}={error}") from error
        if configured := os.environ.get(PLACE):
            return cls(Path(configured), limit)
        import platformdirs

        return cls(Path(platformdirs.user_cache_dir("toolchain", appauthor=False)), limit)

    def get(self, kind: str, key: str) -> Path | None:
        """Return the content folder of an entry, or None when it is absent or damaged.

        Raises:
            ToolchainError: The cache cannot be written to, so nobody would know of the use.
        """
        if not self.has(kind, key):
            return None
        with self.lock(name_of(kind, key), doing=self.at_work):
            return self._find(kind, key)

    def has(self, kind: str, key: str) -> bool:
        """Tell whether there is an entry, be it whole or damaged."""
        return (self.base / kind / key).exists()

    def require(self, kind: str, key: str) -> Path:
        """Return the content folder of an entry that was just put.

        Raises:
            ToolchainError: It is not there, or not as it was written.
        """
        if (content := self._find(kind, key)) is None:
            raise ToolchainError(
                f"the cache {self.root} does not keep what is written to it; check that disk, "
                f"or set {PLACE} to another folder"
            )
        return content

    def result(
        self,
        kind: str,
        key: str,
        *,
        read: Callable[[Path], _Result],
        make: Callable[[Path], None],
        doing: str = "making the same result",
        progress: Progress | None = None,
    ) -> tuple[_Result, bool]:
        """Return what an entry says, and whether it was there; else it is made.

        An entry that is whole but says something that this version does not understand, for
        another one wrote it, is made anew.

        Args:
            kind: Kind of the entry.
            key: Digest of all that it depends on.
            read: Reads it from its content folder; a ValueError or OSError if it cannot.
            make: Fills an empty folder.
            doing: What making it is, for who waits while another process does it; as
                :func:`toolchain.lock.held` takes it.
            progress: Hears of the wait.

        Raises:
            ToolchainError: The cache cannot be written to, or does not keep what is written.
        """
        with self.lock(name_of(kind, key), doing=doing, progress=progress):
            if (kept := self._find(kind, key)) is not None:
                with suppress(ValueError, OSError):
                    return read(kept), True
            with self._filling() as filled:
                make(filled / _CONTENT)
                size = self._commit(filled, kind, key)
            found = read(self.require(kind, key)), False
        inventory.grown(self, size)
        return found

    @contextmanager
    def put(self, kind: str, key: str) -> Iterator[Path]:
        """Give an empty folder to fill; it becomes the entry when the block ends well.

        Raises:
            ToolchainError: The cache cannot be written to.
        """
        with self._filling() as filled:
            yield filled / _CONTENT
            with self.lock(name_of(kind, key), doing=self.at_work):
                size = self._commit(filled, kind, key)
        inventory.grown(self, size)

    def discard(self, kind: str, key: str) -> None:
        """Remove an entry, if it is there, so that readers never see a part of it."""
        entry = self.base / kind / key
        if entry.exists():
            with self.scratch() as doomed:
                entry.rename(doomed / "discarded")

    def lost(self, error: FileNotFoundError) -> bool:
        """Tell whether a file is missed that lay in this store."""
        named = error.filename
        return isinstance(named, (str, Path)) and Path(named).is_relative_to(self.base)

    def _find(self, kind: str, key: str) -> Path | None:
        """Return the content of a whole entry, and note its use; its lock is held."""
        entry = self.base / kind / key
        content = entry / _CONTENT
        try:
            listed = json.loads((entry / MANIFEST).read_text("utf-8"))["files"]
            found = dict(_files(content))
            whole = found.keys() == listed.keys() and all(
                _is_as_listed(path, **listed[name]) for name, path in found.items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if not whole:
            return None
        self.note_use(kind, key)
        with suppress(OSError):
            os.utime(entry / MANIFEST)
        return content

    @contextmanager
    def _filling(self) -> Iterator[Path]:
        """Give a scratch folder with an empty folder for content."""
        with self.scratch() as scratch, disk.writing(self.name, OTHERWISE):
            (scratch / _CONTENT).mkdir()
            yield scratch

    def _commit(self, filled: Path, kind: str, key: str) -> int:
        """Make an entry of a filled scratch folder and return its bytes; its lock is held."""
        files = {name: _listed(path) for name, path in _files(filled / _CONTENT)}
        manifest = json.dumps({"files": files}, indent=1)
        (filled / MANIFEST).write_text(manifest, "utf-8")
        entry = self.base / kind / key
        entry.parent.mkdir(parents=True, exist_ok=True)
        self.discard(kind, key)
        self.note_use(kind, key)
        filled.rename(entry)
        return len(manifest) + sum(int(fact["bytes"]) for fact in files.values())


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _listed(path: Path) -> dict[str, str | int]:
    return {"sha256": digest.of_file(path), "bytes": path.stat().st_size}


def _is_as_listed(path: Path, sha256: str, bytes: int) -> bool:  # noqa: A002
    return path.stat().st_size == bytes and digest.of_file(path) == sha256
