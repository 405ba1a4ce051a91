"""Replaces the last site by a finished new one, completely or not at all."""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import shutil
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from toolchain import disk, lock
from toolchain.errors import BadInputError
from toolchain.records.site_files import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.progress import Progress


_WAY_OUT = "choose another folder with --out"


@contextmanager
def staged(out: Path, progress: Progress | None = None, *, mark: str = MARK) -> Iterator[Path]:
    """Yield an empty folder beside `out`; when the block ends, its content becomes the site.

    A lock admits one process at a time for each `out`, whatever cache it uses; `progress` is told
    if this process has to wait. The process also removes what killed ones have left behind.
    Other folders that this tool makes as a whole are told by another `mark`, the name of a file.

    Raises:
        BadInputError: `out` cannot be written, or holds files that this tool did not make.
        ToolchainError: The disk is full, or another process has held the lock for 15 minutes.
    """
    # Check first: on some systems an unwritable folder would make us wait for the lock.
    prepare(out, mark)
    shown, out = out, out.resolve()  # "." has neither a name nor a parent
    with ExitStack() as stack:
        try:
            stack.enter_context(lock.beside(shown, progress))
        except OSError as error:
            raise _unwritable(shown, error) from error
        stack.enter_context(disk.writing(shown, _WAY_OUT))
        folder = stack.enter_context(_beside(shown, out))
        yield folder
        if not same(folder, out):
            _swap(folder, out)


@contextmanager
def _beside(shown: Path, out: Path) -> Iterator[Path]:
    """Yield an empty folder that is removed when the block ends; the lock of `out` is held."""
    try:
        for kind in ("building", "probe"):
            for abandoned in out.parent.glob(f"{glob.escape(f'.{out.name}.{kind}-')}*"):
                shutil.rmtree(abandoned, ignore_errors=True)
        folder = Path(mkdtemp(prefix=f".{out.name}.building-", dir=out.parent))
        # mkdtemp's folders are private, but a web server has to read this one.
        folder.chmod(0o755)
    except OSError as error:
        raise _unwritable(shown, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare(out: Path, mark: str = MARK) -> None:
    """Check early that a site can be written to `out`; its parent folders are made.

    Raises:
        BadInputError: As in :func:`check`, or nothing can be written beside `out`.
    """
    check(out, mark)
    parent = out.resolve().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        probe = Path(mkdtemp(prefix=f".{out.resolve().name}.probe-", dir=parent))
        with suppress(FileNotFoundError):  # another build that just ended has removed it
            probe.rmdir()
    except OSError as error:
        raise _unwritable(out, error) from error


def check(out: Path, mark: str = MARK) -> None:
    """Check that `out` may be replaced.

    Raises:
        BadInputError: It is a file, or a folder with files that this tool did not make, or it
            cannot be read.
    """
    try:
        no_folder = out.is_symlink() or (out.exists() and not out.is_dir())
        foreign = out.is_dir() and any(out.iterdir()) and not (out / mark).is_file()
    except OSError as error:
        raise _unwritable(out, error) from error
    if no_folder:
        raise BadInputError(f"{out} is not a folder; choose another with --out")
    if foreign:
        raise BadInputError(
            f"{out} holds files that this tool did not make; empty it or choose another with --out"
        )


def _unwritable(out: Path, error: OSError) -> BadInputError:
    return BadInputError(disk.sentence(out, error, _WAY_OUT))


def same(one: Path, other: Path) -> bool:
    """Tell whether two sites are equal, apart from their reports."""
    return other.is_dir() and _contents(one) == _contents(other)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0].split(".")[0] != "report"
    }


def _swap(new: Path, out: Path) -> None:
    """Exchange the two folders; afterwards `new` is the old site."""
    if not out.exists():
        new.rename(out)
    elif not _exchange(new, out):
        # Without a system call for the exchange, the site is missing for an instant.
        away = new.with_name(f"{new.name}-old")
        out.rename(away)
        try:
            new.rename(out)
        except BaseException:
            away.rename(out)
            raise
        shutil.rmtree(away, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one system call; return False if the system has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    here, there = os.fsencode(one), os.fsencode(other)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        at_cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
        result = libc.renameat2(at_cwd, here, at_cwd, there, exchange)
    elif sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        result = libc.renamex_np(here, there, 2)  # RENAME_SWAP
    else:
        return False
    if result == 0:
        return True
    if (code := ctypes.get_errno()) in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))
