"""What lies in the cache, and what goes: to keep it within its bound, or because the user says so.

An entry goes whole: it is renamed away first, under the lock that whoever makes or reads it holds.
None goes that a living process uses. When an entry was last used is the time of its manifest;
clocks go wrong, so that only decides what goes first, and costs a rebuild where it is wrong.
"""

from __future__ import annotations

import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toolchain import lock as locks
from toolchain.cache.cache_folder import MANIFEST
from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from toolchain.cache.cache_folder import CacheFolder

_LAYOUTS = re.compile(r"v\d+")
_NO_KINDS = frozenset({"locks", "scratch", "uses"})
_PARTS = frozenset({MANIFEST, "content"})
_TALLY = "bytes"
_COUNTING = "counting the bytes of the cache"
_ROOM = 0.9  # of the bound: so much is left, so that not every entry has to make room
_TOLERANCE = 86400.0  # seconds that a clock may be ahead, as on another machine


@dataclass(frozen=True)
class Entry:
    """One kept result."""

    kind: str
    key: str
    folder: Path
    bytes: int
    """Of all its files."""
    used: float
    """When it was last used, in seconds since 1970."""
    readable: bool
    """Whether this version reads it; other versions' entries lie in folders of their own."""


@dataclass(frozen=True)
class Removal:
    """What went, and what did not."""

    entries: int = 0
    bytes: int = 0
    in_use: int = 0
    """Entries that stayed because a living process uses them."""
    refused: int = 0
    """Entries that the disk did not let go."""


@dataclass(frozen=True)
class Kind:
    """What is kept of one kind."""

    kind: str
    readable: bool
    """As of an :class:`Entry`."""
    entries: int
    bytes: int
    oldest: float | None
    """When the entry that was not used for longest was used, in seconds since 1970; None where
    no time is known, for it is missing or lies in the future."""
    newest: float | None
    """When the entry that was used last was used."""


@dataclass(frozen=True)
class Survey:
    """What a cache holds."""

    folder: Path
    limit: int
    """Bytes that it may hold."""
    entries: int
    bytes: int
    kinds: tuple[Kind, ...]


def survey(store: CacheFolder) -> Survey:
    """Look at all that is kept."""
    found, now = entries(store), time.time()
    kinds = []
    for foreign, name in sorted({(not entry.readable, entry.kind) for entry in found}):
        of_kind = [e for e in found if (not e.readable, e.kind) == (foreign, name)]
        times = [e.used for e in of_kind if e.used > 0 and not is_from_the_future(e, now)]
        kinds.append(
            Kind(
                kind=name,
                readable=not foreign,
                entries=len(of_kind),
                bytes=total(of_kind),
                oldest=min(times, default=None),
                newest=max(times, default=None),
            )
        )
    return Survey(store.root, store.limit, len(found), total(found), tuple(kinds))


def entries(store: CacheFolder) -> list[Entry]:
    """Return all that is kept, of this layout and of others, by layout, kind and key."""
    found = []
    for layout in _folders(store.root):
        if not _LAYOUTS.fullmatch(layout.name):
            continue
        own = layout == store.base
        for kind in _folders(layout):
            if kind.name in _NO_KINDS:
                continue
            # Folders of another layout might not be this tool's at all.
            found += [_entry(folder, own) for folder in _folders(kind) if own or _is_one(folder)]
    return found


def total(found: Iterable[Entry]) -> int:
    """Return the bytes of all these entries."""
    return sum(entry.bytes for entry in found)


def is_from_the_future(entry: Entry, now: float) -> bool:
    """Tell whether an entry's time says nothing, for the clock was or is wrong."""
    return entry.used > now + _TOLERANCE


def grown(store: CacheFolder, size: int) -> None:
    """Note that an entry of so many bytes was put, and keep the cache within its bound.

    Looking at all entries takes a second for ten thousand, so a running tally is kept beside
    them. It may be too high, never too low, and is set right when all are looked at. Nothing of
    this is worth failing for: what cannot be noted or removed now, the next put will.
    """
    with suppress(OSError, ToolchainError):
        with store.lock(_TALLY, doing=_COUNTING):
            known = _read_tally(store)
            known = total(entries(store)) if known is None else known + size
            _write_tally(store, known)
        if known > store.limit:
            _make_room(store)


def prune(store: CacheFolder, older: float) -> Removal:
    """Remove entries that were not used for so many seconds.

    One whose time lies in the future stays: its age is not known.

    Raises:
        ToolchainError: The cache cannot be written to.
    """
    oldest = time.time() - older
    return _remove(store, (entry for entry in entries(store) if entry.used < oldest))


def clear(store: CacheFolder) -> Removal:
    """Remove all entries, and the locks that nobody holds.

    Raises:
        ToolchainError: The cache cannot be written to.
    """
    with store.scratch():
        pass  # what killed processes left half made goes, too
    removal = _remove(store, entries(store))
    for lock in sorted((store.base / "locks").glob("*.lock")):
        with suppress(OSError), locks.tried(lock) as mine:
            if mine:
                lock.unlink()
    return removal


def _make_room(store: CacheFolder) -> None:
    """Remove what was not used for longest; one process at a time, and others need not wait."""
    with locks.tried(store.lock_file("making room")) as mine:
        if not mine:
            return
        now = time.time()
        with store.lock(_TALLY, doing=_COUNTING):
            found = entries(store)
            _write_tally(store, total(found))
        spare = total(found) - int(store.limit * _ROOM)
        if total(found) <= store.limit:
            return
        # First those whose time says nothing; by their times among themselves.
        found.sort(key=lambda entry: (not is_from_the_future(entry, now), entry.used))
        _remove(store, found, enough=lambda gone: gone.bytes >= spare)


def _remove(
    store: CacheFolder,
    doomed: Iterable[Entry],
    enough: Callable[[Removal], bool] = lambda _: False,
) -> Removal:
    """Remove one entry after another until it is enough."""
    gone = Removal()
    with store.scratch() as aside:
        for entry in doomed:
            if enough(gone):
                break
            gone = _remove_one(store, entry, aside / "removed", gone)
    with store.lock(_TALLY, doing=_COUNTING):
        if (known := _read_tally(store)) is not None:
            _write_tally(store, max(0, known - gone.bytes))
    return gone


def _remove_one(store: CacheFolder, entry: Entry, aside: Path, gone: Removal) -> Removal:
    """Remove an entry unless it is in use, and return what has gone then.

    Args:
        store: Where it is kept.
        entry: The entry.
        aside: Where nothing is yet, on the same disk.
        gone: What has gone so far.
    """
    lock = store.lock_file_of(entry.kind, entry.key)
    try:
        with locks.tried(lock) as mine:
            if entry.readable and (not mine or store.in_use(entry.kind, entry.key)):
                return replace(gone, in_use=gone.in_use + 1)
            entry.folder.rename(aside)
            if mine:
                # Who waits for a lock sees that its file is gone, and makes another.
                with suppress(OSError):
                    lock.unlink()
    except FileNotFoundError:
        return gone  # another process was quicker
    except OSError:
        return replace(gone, refused=gone.refused + 1)
    with suppress(OSError):
        entry.folder.parent.rmdir()  # where it was the last one
    shutil.rmtree(aside, ignore_errors=True)
    return replace(gone, entries=gone.entries + 1, bytes=gone.bytes + entry.bytes)


def _entry(folder: Path, own: bool) -> Entry:
    sizes = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                sizes += path.stat().st_size
    used = 0.0  # a damaged entry goes first
    with suppress(OSError):
        used = (folder / MANIFEST).stat().st_mtime
    return Entry(folder.parent.name, folder.name, folder, sizes, used, own)


def _is_one(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= _PARTS


def _folders(parent: Path) -> Iterator[Path]:
    try:
        found = sorted(parent.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (path for path in found if path.is_dir() and not path.is_symlink())


def _read_tally(store: CacheFolder) -> int | None:
    try:
        return int((store.base / _TALLY).read_text("ascii"))
    except (OSError, ValueError):
        return None


def _write_tally(store: CacheFolder, size: int) -> None:
    (store.base / _TALLY).write_text(f"{size}\n", "ascii")
