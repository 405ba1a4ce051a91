"""Unpacks untrusted archives: `.tar.gz` and `.zip`.

It refuses names that leave the folder or mean different files on different systems, links,
devices, and archives that unpack to far more than their size. Where Python has it, `tarfile`'s
`data` filter (PEP 706) checks once more. Nothing is read into memory as a whole, not even the
long names of a tar.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_BYTES = 4 << 30
"""The most bytes that a model may unpack to: ten times the largest model that a page could use."""
# Chosen, not measured, all of these.
_MAX_MEMBERS = 10_000
# Weights compress badly: real models unpack to one to three times the size of their archive.
_MAX_RATIO = 50
_ALWAYS_FINE = 64 << 20  # bytes, for any archive: an untrained network may be all zeros
_SPARED = 256 << 20  # bytes of the disk to leave free
_MAX_READ = 1 << 20  # bytes in one read; tarfile reads a whole extended header in one
_CHUNK = 1 << 18
FAULTS = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, ValueError),
    *(OSError, NotImplementedError, RuntimeError, IndexError, OverflowError, MemoryError),
)
"""What the libraries raise for damaged and hostile archives."""
COMPRESSIONS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""The functions that open a compressed tar, by the first bytes of the file."""
_ENCRYPTED = 1  # flag bit of a zip entry


def extract(archive: Path, folder: Path, *, shown: str | None = None) -> None:
    """Unpack a tar archive, compressed or not, or a zip, into an existing empty folder.

    Args:
        archive: The file.
        folder: Where to unpack it.
        shown: How messages name the archive; None for its path.

    Raises:
        BadInputError: The file is not an archive, is cut off, holds something other than folders
            and regular files below itself, or unpacks to more than a model needs or the disk has
            room for.
    """
    kind = ".zip" if archive.suffix == ".zip" else ".tar.gz"
    name = shown or str(archive)
    try:
        if kind == ".zip":
            with zipfile.ZipFile(archive) as packed:
                fault = _extract_zip(packed, archive, folder)
        else:
            fault = _extract_tar(archive, folder)
    except FAULTS as error:
        # An OSError names a file in the target folder, which the user does not know.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadInputError(f"{name} cannot be unpacked as a {kind}: {reason}") from error
    if fault:
        raise BadInputError(f"{name} is not unpacked: {fault}")


def member(archive: Path, name: str, *, most: int) -> bytes | None:
    """Return the content of a file in a zip, which may be appended to another file.

    Args:
        archive: The file that holds the zip.
        name: The name in the zip.
        most: The most bytes that the content may have.

    Returns:
        The content; None if there is no zip, or no such name in it.

    Raises:
        BadInputError: The zip is damaged or hostile, or the content is too large.
    """
    try:
        if not zipfile.is_zipfile(archive):
            return None
        with zipfile.ZipFile(archive) as packed:
            if fault := zip_fault(packed, archive.stat().st_size):
                raise BadInputError(f"the zip inside {archive} is not unpacked: {fault}")
            if name not in packed.namelist():
                return None
            with packed.open(name) as file:
                content = file.read(most + 1)
    except FAULTS as error:
        raise BadInputError(f"the zip inside {archive} is damaged; get the file again") from error
    if len(content) > most:
        raise BadInputError(f"{name!r} in the zip inside {archive} has more than {most:,} bytes")
    return content


def fair_size(packed: int) -> int:
    """Return how many bytes an archive of `packed` bytes may unpack to."""
    return min(MAX_BYTES, packed * _MAX_RATIO + _ALWAYS_FINE)


def zip_fault(packed: zipfile.ZipFile, size: int) -> str | None:
    """Return what is wrong with a zip's entries as one clause, or None; does not read them.

    Args:
        packed: The archive.
        size: Its size in bytes.
    """
    gate = _Gate(size)
    for entry in packed.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.flag_bits & _ENCRYPTED:
            return f"its entry {entry.filename!r} is encrypted"
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return f"its entry {entry.filename!r} is compressed in a way that is unusual for a zip"
        plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
        # `filename` is cut off at a null byte; `orig_filename` is not.
        if fault := gate.fault(entry.orig_filename, entry.file_size, entry.is_dir(), plain):
            return fault
    return None


class _Gate:
    """Checks entries one after another, before they are read.

    Args:
        packed: Size of the archive in bytes.
        room: How many bytes may be written; None if nothing will be written.
    """

    def __init__(self, packed: int, room: int | None = None) -> None:
        self._limit = fair_size(packed)
        self._room = room
        self._names: set[str] = set()
        self._count = 0
        self._total = 0

    def fault(self, name: str, size: int, is_folder: bool, is_plain: bool) -> str | None:
        """Return why an entry is refused, or None."""
        self._count += 1
        self._total += size
        path = PurePosixPath(name)
        faults = {
            f"its entry {name!r} points outside the archive": path.is_absolute()
            or ".." in path.parts,
            f"its entry {name!r} is a link or a device": not is_plain,
            f"its entry {name!r} has a name that not every system accepts": _is_odd(path),
            f"it holds more than {_MAX_MEMBERS:,} entries": self._count > _MAX_MEMBERS,
            f"it unpacks to more than {MAX_BYTES >> 30} GiB": self._total > MAX_BYTES,
            f"it unpacks to more than {_MAX_RATIO} times its size, which no model does": self._total
            > self._limit,
            "the disk has no room for what it unpacks to": self._room is not None
            and self._total > self._room,
            f"its entry {name!r} occurs twice, or differs from another only in case": not is_folder
            and self._is_known(path),
        }
        return next((fault for fault, found in faults.items() if found), None)

    def _is_known(self, path: PurePosixPath) -> bool:
        """Tell whether a file of this name came before, on disks that ignore case."""
        folded = unicodedata.normalize("NFC", str(path)).casefold()
        known = folded in self._names
        self._names.add(folded)
        return known


def _is_odd(path: PurePosixPath) -> bool:
    name = str(path)
    ends_oddly = any(part.endswith((".", " ")) for part in path.parts)
    return not name.isprintable() or "\\" in name or ends_oddly


def _room(folder: Path) -> int:
    return max(0, shutil.disk_usage(folder).free - _SPARED)


def _extract_zip(packed: zipfile.ZipFile, archive: Path, folder: Path) -> str | None:
    """Unpack a zip, or return what is wrong with it."""
    size = archive.stat().st_size
    if fault := zip_fault(packed, size):
        return fault
    if sum(entry.file_size for entry in packed.infolist()) > _room(folder):
        return "the disk has no room for what it unpacks to"
    for entry in packed.infolist():
        target = folder / entry.filename
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # Reading ends at the declared size, and zipfile compares the checksum there.
        with packed.open(entry) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
    return None


def _extract_tar(archive: Path, folder: Path) -> str | None:
    """Unpack a tar, or return what is wrong with it."""
    gate = _Gate(archive.stat().st_size, _room(folder))
    with _decompressed(archive) as content, tarfile.open(fileobj=content, mode="r:") as tar:
        for member in tar:
            plain = member.isfile() or member.isdir()
            if fault := gate.fault(member.name, member.size, member.isdir(), plain):
                return fault
            if hasattr(tarfile, "data_filter"):
                tar.extract(member, folder, filter="data")
            else:
                tar.extract(member, folder, set_attrs=False)
        # The checksum comes last, after everything that tarfile reads.
        while content.read(_CHUNK):
            pass
    return None


class _Bounded(io.RawIOBase):
    """A tar's content with limits: on the bytes of one read, and on all bytes together."""

    def __init__(self, content: IO[bytes], limit: int) -> None:
        self._content = content
        self._left = limit

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError("a name in it is far too long")
        piece = self._content.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise tarfile.ReadError("it has far too many bytes after its files")
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        return self._content.tell()


@contextmanager
def _decompressed(archive: Path) -> Iterator[_Bounded]:
    with archive.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        limit = fair_size(archive.stat().st_size) + _ALWAYS_FINE  # for headers and padding
        opened = next((way for mark, way in COMPRESSIONS.items() if head.startswith(mark)), None)
        if opened is None:
            yield _Bounded(file, limit)
            return
        with opened(file) as content:
            yield _Bounded(content, limit)
