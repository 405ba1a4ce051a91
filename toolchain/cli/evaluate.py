"""The command that judges a site or a model on photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolchain.cli.model_options import Fetching, Said
from toolchain.cli.options import Engine
from toolchain.cli.shared import grouped


@grouped
def evaluate(
    model: Annotated[str, typer.Argument(help="A built site, or anything that build takes.")],
    photos: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos in a folder for each class, named by its label, number or WordNet id; "
            "with a labels.csv of photo,labels; or without classes.",
        ),
    ],
    photo_labels: Annotated[
        Path | None,
        typer.Option(
            help="CSV with the labels of each photo: lines like `photo.jpg,cat;dog`, or a column "
            "of 0 and 1 for each label. By default labels.csv among the photos."
        ),
    ] = None,
    foreign: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Photos of other things, subfolders included: tells how many of them get a tag "
            "from a model that can say “none of these”.",
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="Which of a site's variants; only the first's result is kept in it."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Model to compare with; by default the one that a site was built from."),
    ] = None,
    engine: Engine = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default chosen by number of photos.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use only this many photos, evenly spread.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    *,
    said: Said,
    fetching: Fetching,
) -> None:
    """Judge a site or a model on photos: top-1 or mAP, and its difference from its source."""
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.evaluation.stage import EvaluationOptions
    from toolchain.pipeline import evaluate as pipeline

    options = EvaluationOptions(
        request=fetching.ask(model, said=said),
        photos=photos,
        photo_labels=photo_labels,
        foreign=foreign,
        variant=variant,
        reference=None if reference is None else fetching.ask(reference),
        declared=said.declared(),
        limit=limit,
        workers=workers,
        engine=engine,
    )
    found = pipeline.evaluate(options, progress=Terminal())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        tables.print_evaluation(found)
