"""The command that computes the Pareto front of bytes and drop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolchain.cli.model_options import Fetching, Said
from toolchain.cli.options import Engine
from toolchain.cli.shared import grouped
from toolchain.cli.weight_options import RecipeOptions


@grouped
def tune(
    model: Annotated[str, typer.Argument(help="Anything that build takes.")],
    from_bits: Annotated[float, typer.Option(min=0.5, max=8, help="Fewest bits a weight.")] = 3.0,
    to_bits: Annotated[float, typer.Option(min=0.5, max=8, help="Most bits a weight.")] = 8.0,
    points: Annotated[int, typer.Option(min=1, help="How many levels, evenly spaced.")] = 6,
    engine: Engine = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; by default one, because each takes gigabytes."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    site: Annotated[
        Path | None,
        typer.Option(help="Site of the same model; the Pareto front is added to its report."),
    ] = None,
    *,
    recipes: RecipeOptions,
    said: Said,
    fetching: Fetching,
) -> None:
    """Compute the Pareto front: bytes and drop at many levels of bits; points are cached."""
    from toolchain.cli import pareto_tables
    from toolchain.cli.console import Terminal
    from toolchain.pipeline import tune as pipeline

    options = pipeline.TuneOptions(
        request=fetching.ask(model, said=said),
        settings=recipes.settings("auto"),
        bits=pipeline.levels(from_bits, to_bits, points),
        declared=said.declared(),
        workers=workers,
        engine=engine,
        site=site,
    )
    found = pipeline.tune(options, progress=Terminal())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        pareto_tables.print_front(found)
