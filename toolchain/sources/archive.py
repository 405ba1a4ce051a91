"""Unpacks a `.tar.gz` that nobody has vouched for.

Names that leave the folder, links, devices and archives that swell without bounds are
refused; `tarfile`'s own `data` filter (PEP 706) checks once more where Python has it.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from toolchain.errors import BadInputError

_MAX_MEMBERS = 10_000
_MAX_BYTES = 4 << 30
_CHUNK = 1 << 20


def extract(archive: Path, folder: Path) -> None:
    """Unpack a gzip-compressed (or plain) tar archive into an existing empty folder.

    Raises:
        BadInputError: The file is no tar archive, is cut off, holds something other than
            folders and ordinary files inside itself, or unpacks to over 4 GiB.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            total = 0
            for count, member in enumerate(tar, start=1):
                total += member.size
                fault = _fault(member, count, total)
                if fault:
                    raise BadInputError(f"{archive} is not unpacked: {fault}")
                if hasattr(tarfile, "data_filter"):
                    tar.extract(member, folder, filter="data")
                else:
                    tar.extract(member, folder, set_attrs=False)
            # The checksum comes last, behind all that tarfile reads.
            while tar.fileobj and tar.fileobj.read(_CHUNK):
                pass
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, OSError) as error:
        raise BadInputError(f"{archive} cannot be unpacked as a .tar.gz: {error}") from error


def _fault(member: tarfile.TarInfo, count: int, total: int) -> str | None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return f"its entry {member.name!r} points outside the archive"
    if not (member.isfile() or member.isdir()):
        return f"its entry {member.name!r} is a link or a device"
    if count > _MAX_MEMBERS:
        return f"it holds more than {_MAX_MEMBERS:,} entries"
    if total > _MAX_BYTES:
        return f"it unpacks to more than {_MAX_BYTES >> 30} GiB"
    return None
