"""Runs the real command: in its own process, as a user's shell does, or in this one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.watchdog import HANG_S
from toolchain import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLCHAIN = (sys.executable, "-m", "toolchain")


@contextlib.contextmanager
def started(*words: str | Path, cache: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start `toolchain` with these words; it is killed at the end of the block."""
    process = _start(*words, cache=cache)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _start(*words: str | Path, cache: Path | None) -> subprocess.Popen[str]:
    # A process inherits its parent's ignored signals. Tests in the background ignore SIGINT.
    main_thread = threading.current_thread() is threading.main_thread()
    ignored = main_thread and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [*TOOLCHAIN, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **({"TOOLCHAIN_CACHE": str(cache)} if cache else {})},
        )
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def has_loaded(process: subprocess.Popen[str], library: str) -> bool:
    """Tell whether a process has loaded a library whose path contains `library`, or has ended.

    Where the system does not list loaded libraries (macOS), each counts as loaded.
    """
    if process.poll() is not None or not hasattr(psutil.Process, "memory_maps"):
        return True
    try:
        return any(library in each.path for each in psutil.Process(process.pid).memory_maps())
    except psutil.Error:  # it has ended in the meantime
        return True


def run(*words: str | Path, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `toolchain` with these words until it ends."""
    with started(*words, cache=cache) as process:
        out, err = process.communicate(timeout=HANG_S)
        return subprocess.CompletedProcess(words, process.returncode, out, err)


def run_here(
    capfd: pytest.CaptureFixture[str], *words: str | Path, cache: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, where TensorFlow may be imported already."""
    with pytest.MonkeyPatch.context() as patch:
        if cache is not None:
            patch.setenv("TOOLCHAIN_CACHE", str(cache))
        patch.setattr(sys, "argv", ["toolchain", *map(str, words)])
        capfd.readouterr()  # what this process printed before is not the command's
        with pytest.raises(SystemExit) as left:
            cli.main()
    out, err = capfd.readouterr()
    return subprocess.CompletedProcess(words, int(left.value.code or 0), out, err)
