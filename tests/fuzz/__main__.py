"""Fuzz readers for long: `python -m tests.fuzz [--minutes 10] READER …`; `texts`: all text readers.

Findings are written to `tests/fuzz/cases/READER/`, and the run continues.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, seed, settings

from tests.fuzz import trial
from tests.fuzz.readers import READERS, TEXTS
from toolchain import digest

if TYPE_CHECKING:
    from tests.fuzz.reader import Reader

CASES = Path(__file__).parent / "cases"
_MORE_MEMORY = 3 << 30  # bytes of addresses beyond what is mapped at the start
_ROUND = 1000  # examples between two checks of the time


def main() -> None:
    """Fuzz the readers of the command line, and print how much was tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="+", choices=[*READERS, "texts"], metavar="READER")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all readers together")
    chosen = parser.parse_args()
    names = [name for each in chosen.readers for name in (TEXTS if each == "texts" else (each,))]
    _bound_memory()
    found = 0
    for name in names:
        until = time.monotonic() + 60 * chosen.minutes / len(names)
        tried, bad = 0, set[str]()
        while time.monotonic() < until:
            tried += _round(name, READERS[name], bad)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _tell(f"{name}: {tried:,} tried, {len(bad)} found, {peak:.0f} MiB at most")
        found += len(bad)
    sys.exit(bool(found))


def _round(name: str, reader: Reader, bad: set[str]) -> int:
    """Try a thousand examples; keep the first of every new fault."""
    tried = 0

    @seed(random.getrandbits(64))
    @settings(trial.RULES, max_examples=_ROUND)
    @given(reader.contents())
    def look(content: bytes) -> None:
        nonlocal tried
        tried += 1
        (CASES / f".{name}").write_bytes(content)  # stays if the process crashes
        try:
            trial.once(reader, content)
        except (Exception, trial.HungError) as error:  # noqa: BLE001 - each is a finding
            frames = traceback.extract_tb(error.__traceback__)
            mark = f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}"
            if mark not in bad:
                bad.add(mark)
                kept = CASES / name / digest.of_bytes(content)[:12]
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(content)
                _tell(f"{name}: {mark}: {str(error)[:200]} ({kept.name})")

    look()
    (CASES / f".{name}").unlink(missing_ok=True)
    return tried


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _bound_memory() -> None:
    """Limit memory, so that requests for gigabytes fail; the libraries' own mappings are large."""
    import h5py  # noqa: F401 - mapped before the measure is taken
    from PIL import Image

    Image.init()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + _MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
