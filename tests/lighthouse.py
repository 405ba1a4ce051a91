"""Runs Lighthouse so that the same page gets the same figures on any machine.

Lighthouse simulates a phone on slow 4G. It simulates the network from the page's bytes and
requests, which are the same everywhere, but the processor from the wall time of tasks. That time
depends on this machine and its other work: with one core and three other programs, Lighthouse
reported ten seconds of blocking for a page that does not block at all. So the simulated processor
is made as fast as possible. Instead, the page's main thread is judged by the processor time of its
tasks, which other programs do not lengthen, relative to a fixed computation on this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import axe
from tests.browser import FLAGS, chromium_path
from tests.watchdog import HANG_MS

SLOWER = 4.0
"""How many times slower Lighthouse's phone is than the reference machine."""
LONG_MS = 50.0
"""How long a task may take before it blocks, by the definition of Total Blocking Time."""
OF_SPEED = frozenset({"total-blocking-time", "speed-index"})
"""Audits that depend on how long something took on this machine, simulated or not."""
REFERENCE_MS = 160.0
"""Processor time of `_COMPUTATION`, measured on two cores of a server of 2026, idle and busy."""
_COMPUTATION = """
const begun = process.cpuUsage();
const seen = [];
let sum = 0;
for (let step = 0; step < 3e7; step++) {
  sum = (sum * 31 + step) | 0;
  if (step % 1024 === 0) seen.push(String(sum));
}
const { user, system } = process.cpuUsage(begun);
console.log((user + system) / 1000);
"""


@dataclass(frozen=True)
class Audited:
    """Lighthouse's report of a page, and how long the page's main thread was blocked."""

    report: dict[str, Any]
    """Lighthouse's own."""
    blocked_ms: float
    """Total Blocking Time by processor time, on a processor `SLOWER` than the reference."""


def audit(
    url: str,
    categories: tuple[str, ...] = (),
    *,
    audits: tuple[str, ...] = (),
    slower: float = 0.01,
) -> Audited:
    """Audit a page.

    Args:
        url: The page.
        categories: Of Lighthouse's audits.
        audits: Names of audits to run, in addition or instead.
        slower: How much slower than this machine the simulated processor is; Lighthouse takes
            `SLOWER` unless told otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(_node(), axe.MODULES / "lighthouse" / "cli" / "index.js", url),
                *("--output=json", "--quiet", "--disable-full-page-screenshot"),
                *([f"--only-categories={','.join(categories)}"] if categories else []),
                *([f"--only-audits={','.join(audits)}"] if audits else []),
                f"--chrome-flags={' '.join(['--headless=new', *FLAGS])}",
                f"--throttling.cpuSlowdownMultiplier={slower}",
                f"--max-wait-for-load={HANG_MS:.0f}",
                f"-GA={folder}",
            ],
            env=os.environ | {"CHROME_PATH": chromium_path()},
            stdout=subprocess.PIPE,
            check=True,
        )
        trace = json.loads((Path(folder) / "defaultPass.trace.json").read_text("utf-8"))
    return Audited(json.loads(done.stdout), _blocked_ms(trace["traceEvents"]))


def score(runs: list[dict[str, Any]], name: str) -> tuple[float, list[str]]:
    """Return a category's score of 100 by the best run of each audit, and the audits below 90 %.

    The audits in `OF_SPEED` are left out.
    """
    total = weights = 0.0
    culprits = []
    for ref in runs[0]["categories"][name]["auditRefs"]:
        audits = [run["audits"][ref["id"]] for run in runs]
        best = max(audits, key=lambda audit: -1 if audit["score"] is None else audit["score"])
        left_out = best["scoreDisplayMode"] in ("notApplicable", "manual") or ref["id"] in OF_SPEED
        if ref["weight"] == 0 or left_out:
            continue
        weights += ref["weight"]
        total += ref["weight"] * (best["score"] or 0)
        if (best["score"] or 0) < 0.9:
            culprits.append(f"{best['id']} {best['score']} ({best.get('displayValue', '')})")
    return 100 * total / weights, culprits


def _blocked_ms(events: list[dict[str, Any]]) -> float:
    """Add up the time of main-thread tasks beyond `LONG_MS`, from the first paint on."""
    paint = max(
        (event for event in events if event["name"] == "firstContentfulPaint"),
        key=lambda event: event["ts"],
    )
    tasks = [
        event
        for event in events
        if event["name"] == "RunTask"
        and (event["pid"], event["tid"]) == (paint["pid"], paint["tid"])
    ]
    assert sum(task.get("tdur", 0) for task in tasks) > 0, "the trace has no processor times"
    factor = SLOWER / _slowness()
    times = [
        factor * task.get("tdur", 0) / 1000
        for task in tasks
        if task["ts"] + task.get("dur", 0) > paint["ts"]
    ]
    return float(sum(max(0.0, time - LONG_MS) for time in times))


def _slowness() -> float:
    """Return the time of a fixed computation, relative to the reference machine."""
    done = subprocess.run([_node(), "-e", _COMPUTATION], capture_output=True, text=True, check=True)
    return float(done.stdout) / REFERENCE_MS


def _node() -> str:
    node = shutil.which("node")
    assert node is not None, "Lighthouse needs Node; `make test` installs it"
    return node
