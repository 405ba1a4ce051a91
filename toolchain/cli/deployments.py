"""Prints what a deploy did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from toolchain.units import size

if TYPE_CHECKING:
    from toolchain.deploy.run import Outcome


def print_outcome(outcome: Outcome, target: str, *, dry_run: bool) -> None:
    """Print the files that went and those that stayed, and one line that sums them up."""
    if dry_run:
        for path, length in outcome.sent.items():
            typer.echo(f"+ {path}  {size(length)}")
        for path in outcome.removed:
            typer.echo(f"- {path}")
    sent, kept = outcome.sent, outcome.kept
    verb = "would send" if dry_run else "sent"
    typer.echo(
        f"{target}: {verb} {len(sent)} files ({size(sum(sent.values()))}), {len(kept)} were there "
        f"({size(sum(kept.values()))}), {len(outcome.removed)} outdated "
        f"{'would go' if dry_run else 'removed'}; release {outcome.version}"
    )
