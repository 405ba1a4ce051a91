"""Prints what a deploy did, and what a host was found to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from toolchain.units import size

if TYPE_CHECKING:
    from toolchain.deployment.stage import Outcome
    from toolchain.deployment.verify import Verification


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


def print_verification(found: Verification) -> None:
    """Print a line for each file with what travelled, and what was found of the whole."""
    width = max((len(each.path) for each in found.files), default=0)
    for each in found.files:
        mark = "!" if each.faults else " "
        encoding = each.encoding or "as it is"
        typer.echo(f"{mark} {each.path:<{width}}  {size(each.wire_bytes):>8}  {encoding}")
    typer.echo(
        f"{found.url}: {len(found.files)} files, {size(found.wire_bytes)} on the wire; policy: "
        f"{found.policy or 'none'}; cross-origin isolated: {'yes' if found.isolated else 'no'}"
    )
