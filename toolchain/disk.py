"""What a disk refuses, in sentences: it is full, can only be read, is another user's.

One place for all of them, for the same faults meet the cache, the site and whatever is
written besides, and each library says them in its own way.
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
# Only whoever writes meets these; the others may come of a file that is read meanwhile.
_OF_WRITING = _NO_SPACE | {errno.EROFS}
_KNOWN = _OF_WRITING | {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO}


class DiskError(ToolchainError):
    """A disk refused what was to be written to it."""


def sentence(place: object, error: OSError, otherwise: str) -> str:
    """Say that a place cannot be written, why, and the way out.

    Args:
        place: A folder, a file, or words for it.
        error: What the system said.
        otherwise: What to do where freeing space is no help.
    """
    first = "free some space on that disk, or " if error.errno in _NO_SPACE else ""
    return f"{place} cannot be written: {error.strerror or error}; {first}{otherwise}"


@contextmanager
def writing(place: object, otherwise: str) -> Iterator[None]:
    """Let it be said of `place` when the disk is full or read-only while the block runs.

    Raises:
        DiskError: It is.
    """
    try:
        yield
    except DiskError:
        raise  # of another place, within
    except Exception as error:
        if (found := _refusal(error)) is None:
            raise
        raise DiskError(sentence(place, found, otherwise)) from error


def unforeseen(error: OSError) -> DiskError | None:
    """Return a sentence for a refusal that nobody expected there; None for other errors."""
    if error.errno not in _KNOWN:
        return None
    place = error.filename2 or error.filename or "a file"
    return DiskError(f"{place} cannot be used: {error.strerror}; mend that and run this again")


def _refusal(error: BaseException) -> OSError | None:
    """Find a disk's refusal in an exception or what led to it.

    TensorFlow and HDF5 raise errors of their own, with the system's words in them.
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
