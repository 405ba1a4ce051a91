"""Finds a Node that can run a site's worker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

_LEAST = 18
"""The first Node version with streams that unpack gzip, which the worker needs."""


@lru_cache
def find() -> Path | None:
    """Return a Node of version 18 or newer, from PATH or beside this Python; None if none."""
    beside = Path(sys.executable).with_name("node")
    for candidate in (shutil.which("node"), beside if beside.is_file() else None):
        if candidate and (_major(Path(candidate)) or 0) >= _LEAST:
            return Path(candidate)
    return None


def _major(node: Path) -> int | None:
    try:
        said = subprocess.run(  # noqa: S603 - the user's own Node
            [node, "--version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        return int(said.lstrip("v").partition(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
