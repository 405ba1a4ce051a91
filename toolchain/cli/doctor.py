"""The command that checks whether this machine has what the other commands need."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check versions, Node, Chromium, the cache and the network, and say how to fix them."""
    from toolchain.cache.store import Store
    from toolchain.cli import tables
    from toolchain.pipeline import doctor as checks
    from toolchain.sources.retries import NetworkPolicy

    healthy = True
    for finding in checks.examine(Store.default(), NetworkPolicy()):
        tables.print_finding(finding)
        healthy &= finding.good or not finding.needed
    if not healthy:
        raise typer.Exit(1)
