"""The cache on disk: results of stages under the digest of what they were made from.

An entry is a folder that appears whole or not at all. It is written beside its place,
listed in a manifest with every file's size and SHA-256, and renamed in. What no longer
matches its manifest (a file lost, cut or changed) is taken for absent and made anew. No
clock is asked: a process that died is known by the lock that it no longer holds.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock, Timeout

from toolchain import digest, disk
from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LAYOUT = "v1"  # a new layout starts a new folder; old ones are never read
_MANIFEST = "entry.json"
_CONTENT = "content"
_OTHERWISE = "set TOOLCHAIN_CACHE to a folder of yours on another disk"

_Result = TypeVar("_Result")


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

    def result(
        self,
        kind: str,
        key: str,
        *,
        read: Callable[[Path], _Result],
        make: Callable[[Path], None],
    ) -> tuple[_Result, bool]:
        """Return what an entry says, and whether it was there; else it is made.

        An entry that is whole but says something that this version does not understand, for
        another one wrote it, is made anew.

        Args:
            kind: Kind of the entry.
            key: Digest of all that it depends on.
            read: Reads it from its content folder; a ValueError or OSError if it cannot.
            make: Fills an empty folder.

        Raises:
            ToolchainError: The cache cannot be written to, or does not keep what is written.
        """
        with self.lock(f"{kind}-{key}"):
            if (kept := self.get(kind, key)) is not None:
                with suppress(ValueError, OSError):
                    return read(kept), True
            with self.put(kind, key) as folder:
                make(folder)
            return read(self.require(kind, key)), False

    @contextmanager
    def put(self, kind: str, key: str) -> Iterator[Path]:
        """Give an empty folder to fill; it becomes the entry when the block ends well.

        Raises:
            ToolchainError: The cache cannot be written to.
        """
        with self.scratch() as scratch, disk.writing(self._name, _OTHERWISE):
            content = scratch / _CONTENT
            content.mkdir()
            yield content
            manifest = {"files": {name: _listed(path) for name, path in _files(content)}}
            (scratch / _MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
            entry = self._base / kind / key
            entry.parent.mkdir(parents=True, exist_ok=True)
            self.discard(kind, key)
            scratch.rename(entry)

    def discard(self, kind: str, key: str) -> None:
        """Remove an entry, if it is there, so that readers never see a part of it."""
        entry = self._base / kind / key
        if entry.exists():
            with self.scratch() as doomed:
                entry.rename(doomed / "discarded")

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder on the store's own disk, which goes when the block ends.

        What a process that is killed leaves there, the next one that wants a folder removes.

        Raises:
            ToolchainError: The cache cannot be written to.
        """
        parent = self._base / "scratch"
        with self.lock("scratch"):
            try:
                parent.mkdir(parents=True, exist_ok=True)
                _sweep(parent)
                folder = Path(mkdtemp(dir=parent))
                held = _held(folder)
                held.acquire(timeout=0)
            except OSError as error:
                raise self._unwritable(error) from error
        try:
            yield folder
        finally:
            _remove(folder)
            held.release()

    def lost(self, error: FileNotFoundError) -> bool:
        """Tell whether a file is missed that lay in this store."""
        named = error.filename
        return isinstance(named, (str, Path)) and Path(named).is_relative_to(self._base)

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

    @property
    def _name(self) -> str:
        return f"the cache {self.root}"

    def _unwritable(self, error: OSError) -> ToolchainError:
        return disk.DiskError(disk.sentence(self._name, error, _OTHERWISE))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _listed(path: Path) -> dict[str, str | int]:
    return {"sha256": digest.of_file(path), "bytes": path.stat().st_size}


def _is_as_listed(path: Path, sha256: str, bytes: int) -> bool:  # noqa: A002
    return path.stat().st_size == bytes and digest.of_file(path) == sha256


def _held(folder: Path) -> FileLock:
    """Return the lock that whoever works in a scratch folder holds."""
    return FileLock(f"{folder}.lock")


def _sweep(parent: Path) -> None:
    """Remove what processes that died left behind."""
    for folder in {path.with_suffix("") for path in parent.iterdir()}:
        with suppress(OSError, Timeout), _held(folder).acquire(timeout=0):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a scratch folder and its lock, which is held."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        Path(_held(folder).lock_file).unlink()
