"""Checks untrusted HDF5 files.

The format lets a file include content of other files, and declare billions of numbers without
holding them. Files of weights need neither, so both are refused.
"""

from __future__ import annotations

from math import prod
from typing import IO, TYPE_CHECKING, Any

from toolchain.formats.archive import fair_size

if TYPE_CHECKING:
    from pathlib import Path

_MAX_LINKS = 100_000


def fault(file: Path | IO[bytes], size: int) -> str | None:
    """Return what is wrong with an HDF5 file as one clause, or None.

    Args:
        file: The file, or its content.
        size: Its size in bytes.

    Raises:
        OSError: It is not an HDF5 file.
    """
    import h5py

    with h5py.File(file, "r") as opened:
        return _fault(opened, fair_size(size))


def _fault(file: Any, limit: int) -> str | None:
    import h5py

    waiting, seen, links, total = [file], {_address(file)}, 0, 0
    while waiting:
        group = waiting.pop()
        for name in group:
            links += 1
            link = group.get(name, getlink=True)
            where = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(link, h5py.HardLink):
                return f"its {where} is a link to something else"
            item = group[name]
            if _address(item) in seen:
                continue
            seen.add(_address(item))
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    return f"its {where} lies in another file"
                total += prod(item.shape or (0,)) * item.dtype.itemsize
            if total > limit:
                return f"it declares {total:,} bytes of numbers, many times its own size"
            if links > _MAX_LINKS:
                return f"it holds more than {_MAX_LINKS:,} names"
    return None


def _address(item: Any) -> tuple[int, int]:
    import h5py

    found = h5py.h5o.get_info(item.id)
    return found.fileno, found.addr
