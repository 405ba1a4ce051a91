"""Prints the results of a deploy and of a verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from toolchain.units import size

if TYPE_CHECKING:
    from toolchain.deployment.stage import Outcome
    from toolchain.deployment.verify import Verification


def print_outcome(outcome: Outcome, target: str, *, dry_run: bool) -> None:
    """Print a summary in one line; for a dry run also each file to send or to remove."""
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
    """Print one line for each file with its transferred bytes, and a summary."""
    width = max((len(each.path) for each in found.files), default=0)
    for each in found.files:
        mark = "!" if each.faults else " "
        encoding = each.encoding or "uncompressed"
        typer.echo(f"{mark} {each.path:<{width}}  {size(each.wire_bytes):>8}  {encoding}")
    typer.echo(
        f"{found.url}: {len(found.files)} files, {size(found.wire_bytes)} on the wire; policy: "
        f"{found.policy or 'none'}; cross-origin isolated: {'yes' if found.isolated else 'no'}"
    )
