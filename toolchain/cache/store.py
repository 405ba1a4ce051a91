"""The cache on disk: results of stages, keyed by the digest of everything they depend on.

An entry is a folder that appears as a whole or not at all. It is written to a scratch folder,
gets a manifest with every file's size and SHA-256, and is renamed to its place. If a file does
not match the manifest (it is missing, cut off or changed), the entry counts as a cache miss and
is made again. A process that has ended is recognised by its freed lock, not by a time.

When the cache exceeds its size limit, the least recently used entries are removed (`inventory`),
but none that a running process has read or written: each process keeps a list of those. The
mtime of its manifest tells when an entry was last used; the worst result of a wrong time is a
rebuild.
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

    from pydantic import BaseModel

    from toolchain.progress import Progress


_CONTENT = "content"
_RECORD = "record.json"

_Result = TypeVar("_Result")
_Record = TypeVar("_Record", bound="BaseModel")


class Store(CacheFolder):
    """A folder of finished results of stages.

    Args:
        root: The folder; created when first written to.
        limit: Size limit in bytes; beyond it, the least recently used entries are removed.
    """

    @classmethod
    def default(cls) -> Store:
        """Return the user's store: `$TOOLCHAIN_CACHE`, or the platform's cache folder.

        Raises:
            BadInputError: `$TOOLCHAIN_CACHE_MAX` is not a size.
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
        """Return the content folder of an entry, or None for a cache miss: absent or damaged.

        Raises:
            ToolchainError: The cache cannot be written to, so the entry cannot be marked as in use.
        """
        if not self.has(kind, key):
            return None
        with self.lock(name_of(kind, key), doing=self.at_work):
            return self._find(kind, key)

    def has(self, kind: str, key: str) -> bool:
        """Tell whether there is an entry, whole or damaged."""
        return (self.base / kind / key).exists()

    def require(self, kind: str, key: str) -> Path:
        """Return the content folder of an entry that was just written.

        Raises:
            ToolchainError: It is missing, or differs from what was written.
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
        """Return the result that an entry holds, and whether it was cached; make it on a miss.

        A whole entry that `read` cannot read, because another version wrote it, is made again.

        Args:
            kind: Kind of the entry.
            key: Digest of everything that it depends on.
            read: Reads the result from the content folder; raises ValueError or OSError if it
                cannot.
            make: Fills an empty content folder.
            doing: What `make` does, for the message while another process does it; see
                :func:`toolchain.lock.held`.
            progress: Told of the wait.

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

    def record(
        self,
        kind: str,
        key: str,
        form: type[_Record],
        *,
        make: Callable[[], _Record],
        doing: str,
        progress: Progress | None = None,
    ) -> tuple[_Record, bool]:
        """Return the record that an entry holds, and whether it was cached; make it on a miss.

        This is :meth:`result` for a result that is one record and no other file.

        Args:
            kind: Kind of the entry.
            key: Digest of everything that it depends on.
            form: The record's class.
            make: Makes the record.
            doing: What `make` does, for the message while another process does it.
            progress: Told of the wait.

        Raises:
            ToolchainError: The cache cannot be written to, or does not keep what is written.
        """

        def fill(content: Path) -> None:
            (content / _RECORD).write_text(make().model_dump_json(), "utf-8")

        def read(content: Path) -> _Record:
            return form.model_validate_json((content / _RECORD).read_text("utf-8"))

        return self.result(kind, key, read=read, make=fill, doing=doing, progress=progress)

    @contextmanager
    def put(self, kind: str, key: str) -> Iterator[Path]:
        """Yield an empty folder to fill; it becomes the entry if the block ends without an error.

        Raises:
            ToolchainError: The cache cannot be written to.
        """
        with self._filling() as filled:
            yield filled / _CONTENT
            with self.lock(name_of(kind, key), doing=self.at_work):
                size = self._commit(filled, kind, key)
        inventory.grown(self, size)

    def discard(self, kind: str, key: str) -> None:
        """Remove an entry if it exists; readers never see a part of it."""
        entry = self.base / kind / key
        if entry.exists():
            with self.scratch() as doomed:
                entry.rename(doomed / "discarded")

    def lost(self, error: FileNotFoundError) -> bool:
        """Tell whether the missing file of an error belongs to this store."""
        named = error.filename
        return isinstance(named, (str, Path)) and Path(named).is_relative_to(self.base)

    def _find(self, kind: str, key: str) -> Path | None:
        """Return the content folder of a whole entry, and mark it as used; needs its lock."""
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
        """Yield a scratch folder with an empty content folder in it."""
        with self.scratch() as scratch, disk.writing(self.name, OTHERWISE):
            (scratch / _CONTENT).mkdir()
            yield scratch

    def _commit(self, filled: Path, kind: str, key: str) -> int:
        """Turn a filled scratch folder into the entry and return its size; needs its lock."""
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
