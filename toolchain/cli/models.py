"""The commands for models: list the catalogue, fetch a model, inspect a model."""

from __future__ import annotations

from typing import Annotated

import typer

from toolchain.cli.model_options import (
    Fetching,
    InputName,
    InputSize,
    OutputName,
    Said,
    Sha256,
    SignatureName,
    UpdatePin,
)
from toolchain.cli.shared import grouped


@grouped
def pull(
    model: Annotated[
        str,
        typer.Argument(
            help="Catalogue name, TF Hub URL, Kaggle handle, hf:owner/name, keras:Name or path."
        ),
    ],
    sha256: Sha256 = None,
    update_pin: UpdatePin = False,
    signature: SignatureName = None,
    input: InputName = None,  # noqa: A002 - the option's name
    output: OutputName = None,
    input_size: InputSize = None,
    *,
    fetching: Fetching,
) -> None:
    """Fetch a model into the cache, pin its digest, and print where it is."""
    from toolchain.cli.console import Terminal
    from toolchain.pipeline import pull as pipeline
    from toolchain.text import printable

    said = Said(signature=signature, input=input, output=output, input_size=input_size)
    request = fetching.ask(model, sha256=sha256, update_pin=update_pin, said=said)
    fetched = pipeline.pull(request, progress=Terminal())
    typer.echo(f"model   {printable(fetched.declared.name or model)}")
    typer.echo(f"source  {printable(fetched.source)}")
    typer.echo(f"sha256  {fetched.sha256}")
    typer.echo(f"path    {printable(str(fetched.path))}")


def models() -> None:
    """List the models of the catalogue."""
    from toolchain.cli import tables

    tables.print_catalogue()


@grouped
def inspect(
    model: Annotated[str, typer.Argument(help="A built site, or anything that build takes.")],
    *,
    said: Said,
    fetching: Fetching,
) -> None:
    """Print parameters, multiply-adds, sizes, operations and dtypes of a model or site."""
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.pipeline import inspection

    found = inspection.inspect(
        fetching.ask(model, said=said),
        said.declared(),
        progress=Terminal(),
    )
    tables.print_inspection(found)
