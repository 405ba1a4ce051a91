"""Prints what training has found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.records.training import Training


def show(training: Training, out: Path) -> None:
    """Print a summary."""
    judged = training.out_of_fold.accuracy
    typer.echo(
        f"{out}: {100 * judged.value:.1f} % ({100 * judged.low:.0f} … {100 * judged.high:.0f})"
    )
