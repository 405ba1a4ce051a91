"""Error sentences for disks that are full, read-only or owned by another user.

They are in one place because the cache, the site and all other output meet the same errors,
and each library words them differently.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTA = getattr(errno, "EDQUOT", errno.ENOSPC)
_NO_SPACE = frozenset({errno.ENOSPC, _QUOTA})
# Only writing raises these; the others may also come from reading a file.
_OF_WRITING = _NO_SPACE | {errno.EROFS}
_KNOWN = _OF_WRITING | {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO}


class DiskError(ToolchainError):
    """A disk refused to be written to."""


def sentence(place: object, error: OSError, otherwise: str) -> str:
    """Return a sentence that says what cannot be written, why, and what to do.

    Args:
        place: A folder, a file, or words for it.
        error: The system's error.
        otherwise: What to do if freeing space does not help.
    """
    first = "free some space on that disk, or " if error.errno in _NO_SPACE else ""
    return f"{place} cannot be written: {error.strerror or error}; {first}{otherwise}"


@contextmanager
def writing(place: object, otherwise: str) -> Iterator[None]:
    """Turn disk errors within the block into a sentence about `place`.

    Raises:
        DiskError: The disk is full or read-only.
    """
    try:
        yield
    except DiskError:
        raise  # it already names a place: that of an inner block
    except Exception as error:
        if (found := _refusal(error)) is None:
            raise
        raise DiskError(sentence(place, found, otherwise)) from error


def unforeseen(error: OSError) -> DiskError | None:
    """Return a sentence for a disk error that no other code handled; None for other errors."""
    if error.errno not in _KNOWN:
        return None
    place = error.filename2 or error.filename or "a file"
    return DiskError(f"{place} cannot be used: {error.strerror}; fix that and run this again")


def _refusal(error: BaseException) -> OSError | None:
    """Return the disk error that an exception is, or was caused by.

    TensorFlow and HDF5 raise their own errors, with the system's message in their text.
    """
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno in _OF_WRITING:
            return link
        for code in _OF_WRITING:
            if os.strerror(code) in str(link):
                return OSError(code, os.strerror(code))
        link = link.__cause__ or link.__context__
    return None
