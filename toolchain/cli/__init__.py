"""The command line: parses options, calls the pipeline, and prints the result."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, NoReturn

from toolchain.text import printable
from toolchain.tf import VERBOSE

if TYPE_CHECKING:
    from types import FrameType

    from toolchain.errors import ToolchainError


def main() -> None:
    """Run the command line and exit with its exit code.

    A :class:`~toolchain.errors.ToolchainError` is printed as one line on standard error, and sets
    the exit code. Any other error is one line too; `--debug` shows the traceback. SIGTERM ends the
    command like Ctrl-C, so that nothing unfinished is left, with exit code 143. Afterwards the
    process is as before: its arguments, its environment and its handler of SIGTERM.
    """
    debug = "--debug" in sys.argv
    with ExitStack() as stack:
        if debug:
            stack.callback(setattr, sys, "argv", sys.argv)
            sys.argv = [word for word in sys.argv if word != "--debug"]
            stack.callback(_set_verbose, os.environ.get(VERBOSE))
            _set_verbose("1")
        # Only a process's main thread receives signals.
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGTERM, _end)
            # None is a handler that was not set from Python; it cannot be restored.
            stack.callback(
                signal.signal, signal.SIGTERM, signal.SIG_DFL if before is None else before
            )
        _run(debug=debug)


def _run(*, debug: bool) -> None:
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
            "toolchain: an unexpected error occurred "
            f"({type(error).__name__}: {printable(str(error))}); "
            "run the same command with --debug to see where, and report it\n"
        )
        sys.exit(1)


def _set_verbose(value: str | None) -> None:
    if value is None:
        os.environ.pop(VERBOSE, None)
    else:
        os.environ[VERBOSE] = value


def _fail(error: ToolchainError) -> NoReturn:
    sys.stderr.write(f"toolchain: {printable(str(error))}\n")
    sys.exit(error.exit_code)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a handler's form
    sys.exit(128 + number)


def _refusal(error: OSError) -> ToolchainError | None:
    """Return an error for a full or failing disk, also if standard output is written to it."""
    from toolchain import disk

    if error.filename is None:
        # The error came from a stream. If it was standard output, one more line fails too.
        try:
            os.write(sys.stdout.fileno(), b"\n")
        except OSError as refused:
            if disk.unforeseen(refused):
                place = "standard output"
                return disk.DiskError(disk.sentence(place, refused, "send it elsewhere"))
    return disk.unforeseen(error)
