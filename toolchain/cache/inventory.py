"""Lists the cache's entries, and removes them: to keep the size limit, or because the user asks.

An entry is removed as a whole: it is first renamed away, under the lock that making and reading
it need. Entries that a running process uses stay. The mtime of its manifest tells when an entry
was last used. Clocks can be wrong, so it only decides the order of removal; the worst result of
a wrong time is a rebuild.
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
# Removal goes down to this share of the limit, so that not every new entry has to remove others.
# Chosen, not measured.
_ROOM = 0.9
_TOLERANCE = 86400.0  # seconds that the clock of another machine may be ahead; chosen


@dataclass(frozen=True)
class Entry:
    """One cached result."""

    kind: str
    key: str
    folder: Path
    bytes: int
    """Size of all its files."""
    used: float
    """When it was last used, in seconds since 1970."""
    readable: bool
    """Whether this version reads it; entries of other layouts are in other folders."""


@dataclass(frozen=True)
class Removal:
    """What was removed, and what was not."""

    entries: int = 0
    bytes: int = 0
    in_use: int = 0
    """Entries that stayed because a running process uses them."""
    refused: int = 0
    """Entries that could not be removed because of a disk error."""


@dataclass(frozen=True)
class Kind:
    """All entries of one kind, counted."""

    kind: str
    readable: bool
    """As in :class:`Entry`."""
    entries: int
    bytes: int
    oldest: float | None
    """The earliest time of last use, in seconds since 1970; None if all times are missing or in
    the future."""
    newest: float | None
    """The latest time of last use; None as above."""


@dataclass(frozen=True)
class Survey:
    """The contents of a cache, counted."""

    folder: Path
    limit: int
    """Size limit in bytes."""
    entries: int
    bytes: int
    kinds: tuple[Kind, ...]


def survey(store: CacheFolder) -> Survey:
    """Return what the cache holds, by kind."""
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
    """Return all entries, of this layout and of others, sorted by layout, kind and key."""
    found = []
    for layout in _folders(store.root):
        if not _LAYOUTS.fullmatch(layout.name):
            continue
        own = layout == store.base
        for kind in _folders(layout):
            if kind.name in _NO_KINDS:
                continue
            # A folder that looks like another layout may not belong to this tool.
            found += [_entry(folder, own) for folder in _folders(kind) if own or _is_one(folder)]
    return found


def total(found: Iterable[Entry]) -> int:
    """Return the total size of these entries in bytes."""
    return sum(entry.bytes for entry in found)


def is_from_the_future(entry: Entry, now: float) -> bool:
    """Tell whether an entry's time is useless, because a clock was or is wrong."""
    return entry.used > now + _TOLERANCE


def grown(store: CacheFolder, size: int) -> None:
    """Count a new entry of `size` bytes, and keep the cache within its size limit.

    Walking ten thousand entries takes a second, so a running total is kept in a file. It may be
    too high but never too low, and each walk corrects it. Errors are ignored: what cannot be
    counted or removed now will be with the next entry.
    """
    with suppress(OSError, ToolchainError):
        with store.lock(_TALLY, doing=_COUNTING):
            known = _read_tally(store)
            known = total(entries(store)) if known is None else known + size
            _write_tally(store, known)
        if known > store.limit:
            _make_room(store)


def prune(store: CacheFolder, older: float) -> Removal:
    """Remove entries that were not used for `older` seconds.

    An entry whose time lies in the future stays, because its age is not known.

    Raises:
        ToolchainError: The cache cannot be written to.
    """
    oldest = time.time() - older
    return _remove(store, (entry for entry in entries(store) if entry.used < oldest))


def clear(store: CacheFolder) -> Removal:
    """Remove all entries, and all locks that no process holds.

    Raises:
        ToolchainError: The cache cannot be written to.
    """
    with store.scratch():
        pass  # this also removes the unfinished work of killed processes
    removal = _remove(store, entries(store))
    for lock in sorted((store.base / "locks").glob("*.lock")):
        with suppress(OSError), locks.tried(lock) as mine:
            if mine:
                lock.unlink()
    return removal


def _make_room(store: CacheFolder) -> None:
    """Remove the least recently used entries; does nothing if another process is doing so."""
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
        # First those with a useless time, then the others, both from the earliest time on.
        found.sort(key=lambda entry: (not is_from_the_future(entry, now), entry.used))
        _remove(store, found, enough=lambda gone: gone.bytes >= spare)


def _remove(
    store: CacheFolder,
    doomed: Iterable[Entry],
    enough: Callable[[Removal], bool] = lambda _: False,
) -> Removal:
    """Remove one entry after another until `enough` is true for what was removed."""
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
    """Remove an entry unless it is in use, and return what has been removed with it.

    Args:
        store: The cache.
        entry: The entry.
        aside: A path on the same disk where nothing exists yet.
        gone: What has been removed so far.
    """
    lock = store.lock_file_of(entry.kind, entry.key)
    try:
        with locks.tried(lock) as mine:
            if entry.readable and (not mine or store.in_use(entry.kind, entry.key)):
                return replace(gone, in_use=gone.in_use + 1)
            entry.folder.rename(aside)
            if mine:
                # A process that waits for the lock sees that its file is gone and makes a new one.
                with suppress(OSError):
                    lock.unlink()
    except FileNotFoundError:
        return gone  # another process has removed it
    except OSError:
        return replace(gone, refused=gone.refused + 1)
    with suppress(OSError):
        entry.folder.parent.rmdir()  # works only if it is empty now
    shutil.rmtree(aside, ignore_errors=True)
    return replace(gone, entries=gone.entries + 1, bytes=gone.bytes + entry.bytes)


def _entry(folder: Path, own: bool) -> Entry:
    sizes = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                sizes += path.stat().st_size
    used = 0.0  # a damaged entry is removed first
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
