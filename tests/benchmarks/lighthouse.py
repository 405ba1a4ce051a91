"""Print what Lighthouse measures on this machine: `make bench-lighthouse`.

The times depend on this machine's processor and on its other work, so no test limits them;
`tests/lighthouse.py` says what is tested instead. Each row also shows how fast Lighthouse found
the machine to be.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests import lighthouse
from tests.browser import toolchain_serve

RUNS = 5
AUDITS = {
    "first-contentful-paint": "FCP ms",
    "largest-contentful-paint": "LCP ms",
    "speed-index": "SI ms",
    "total-blocking-time": "TBT ms",
    "cumulative-layout-shift": "CLS",
}


def main() -> None:
    """Audit a built site several times and print a line for each run."""
    (site,) = sys.argv[1:] or ["dist"]
    columns = ("score", *AUDITS.values(), "machine", "CPU ms")
    sys.stdout.write("".join(f"{name:>9}" for name in columns) + "\n")
    with toolchain_serve(Path(site)) as url:
        for _ in range(RUNS):
            found = lighthouse.audit(url, ("performance",), slower=lighthouse.SLOWER)
            report = found.report
            values = [100 * report["categories"]["performance"]["score"]]
            values += [report["audits"][name]["numericValue"] for name in AUDITS]
            values += [report["environment"]["benchmarkIndex"], found.blocked_ms]
            sys.stdout.write("".join(f"{value:9.4g}" for value in values) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
