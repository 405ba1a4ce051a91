"""The command line: parses, calls one stage or the build, prints. Nothing is decided here."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from toolchain.text import printable

if TYPE_CHECKING:
    from types import FrameType

    from toolchain.errors import ToolchainError


def main() -> None:
    """Run the command line and leave with its exit code.

    A :class:`~toolchain.errors.ToolchainError` is one line on standard error and its
    exit code; anything else unforeseen is one line too, with the traceback by `--debug`.
    SIGTERM ends it as Ctrl-C does, so that nothing half-made is left: with exit code 143.
    """
    debug = "--debug" in sys.argv
    if debug:
        sys.argv = [word for word in sys.argv if word != "--debug"]
        os.environ["TOOLCHAIN_DEBUG"] = "1"
    signal.signal(signal.SIGTERM, _end)
    from toolchain.cli.app import app
    from toolchain.errors import ToolchainError

    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except ToolchainError as error:
        if debug:
            raise
        _fail(error)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and (refusal := _refusal(error)) is not None:
            _fail(refusal)
        sys.stderr.write(
            "toolchain: something unforeseen happened "
            f"({type(error).__name__}: {printable(str(error))}); "
            "run the same with --debug to see where, and report it\n"
        )
        sys.exit(1)


def _fail(error: ToolchainError) -> NoReturn:
    sys.stderr.write(f"toolchain: {printable(str(error))}\n")
    sys.exit(error.exit_code)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a handler's form
    sys.exit(128 + number)


def _refusal(error: OSError) -> ToolchainError | None:
    """Return a sentence for what a disk refused, be it that which standard output goes to."""
    from toolchain import disk

    if error.filename is None:
        # A stream: the one that all commands write to refuses one more line, too.
        try:
            os.write(sys.stdout.fileno(), b"\n")
        except OSError as refused:
            if disk.unforeseen(refused):
                place = "standard output"
                return disk.DiskError(disk.sentence(place, refused, "send it elsewhere"))
    return disk.unforeseen(error)
