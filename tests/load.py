"""Puts a server on the loopback under load with wrk, for a limited time."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.watchdog import HANG_S

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPT = Path(__file__).with_suffix(".lua")


@dataclass(frozen=True)
class Load:
    """The results of a run."""

    requests: int
    bytes: int
    """Of bodies and headers."""
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    """Responses with a status of 400 or more."""
    broken: int
    """Responses that did not arrive, or not completely."""

    @property
    def per_second(self) -> float:
        """Responses a second."""
        return self.requests / self.seconds


def run(
    url: str, paths: Sequence[str], *, seconds: int, threads: int = 2, connections: int = 32
) -> Load:
    """Request these paths in turn, over connections that stay open.

    Args:
        url: The site's address.
        paths: Relative to it.
        seconds: The duration.
        threads: wrk's threads.
        connections: The connections of all threads together.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        pytest.skip("needs Debian's wrk, which `make test` installs as root")
    done = subprocess.run(
        [
            *(wrk, f"-t{threads}", f"-c{connections}", f"-d{seconds}s", f"--timeout={HANG_S:.0f}s"),
            *("-s", str(SCRIPT), url, "--", *(f"/{path}" for path in paths)),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + HANG_S,
    )
    return Load(**json.loads(done.stdout.splitlines()[-1]))
