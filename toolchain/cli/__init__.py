"""The command line: parses, calls one stage or the build, prints. Nothing is decided here."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code.

    A :class:`~toolchain.errors.ToolchainError` is one line on standard error and its
    exit code; anything else unforeseen is one line too, with the traceback by `--debug`.
    """
    debug = "--debug" in sys.argv
    if debug:
        sys.argv = [word for word in sys.argv if word != "--debug"]
        os.environ["TOOLCHAIN_DEBUG"] = "1"
    from toolchain.cli.app import app
    from toolchain.errors import ToolchainError
    from toolchain.text import printable

    try:
        app()
    except ToolchainError as error:
        if debug:
            raise
        sys.stderr.write(f"toolchain: {printable(str(error))}\n")
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            raise
        sys.stderr.write(
            "toolchain: something unforeseen happened "
            f"({type(error).__name__}: {printable(str(error))}); "
            "run the same with --debug to see where, and report it\n"
        )
        sys.exit(1)
