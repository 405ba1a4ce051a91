"""Time builds of the embedded model as whole processes: `make bench`.

Cold builds start with an empty cache; warm builds change nothing. They alternate, so
that a machine that slows down affects both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COLD_RUNS = 2
WARM_RUNS = 5
HELP_RUNS = 9


def seconds(*arguments: str, cache: str) -> float:
    """Run the command line once and return its wall time."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "toolchain", *arguments],
        env={**os.environ, "TOOLCHAIN_CACHE": cache},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print medians with their spread."""
    rows: dict[str, list[float]] = {"toolchain --help": [], "cold build": [], "warm build": []}
    for _ in range(HELP_RUNS):
        rows["toolchain --help"].append(seconds("--help", cache=os.devnull))
    for _ in range(COLD_RUNS):
        with tempfile.TemporaryDirectory() as folder:
            build = ("build", "--model", "embedded", "--out", str(Path(folder) / "site"))
            cache = str(Path(folder) / "cache")
            rows["cold build"].append(seconds(*build, cache=cache))
            rows["warm build"] += [seconds(*build, cache=cache) for _ in range(WARM_RUNS)]
    for name, times in rows.items():
        spread = f"{min(times):.2f}–{max(times):.2f} s"
        sys.stdout.write(
            f"{name:<18}{statistics.median(times):7.2f} s  ({spread}, {len(times)} runs)\n"
        )


if __name__ == "__main__":
    main()
