"""The application: its commands, in the order of the help, and the options that all share.

Slow imports happen inside the command that runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from toolchain import __version__
from toolchain.cli import cache, report
from toolchain.cli.build import build
from toolchain.cli.deploy import deploy, rollback, server_config, verify
from toolchain.cli.doctor import doctor
from toolchain.cli.evaluate import evaluate
from toolchain.cli.models import inspect, models, pull
from toolchain.cli.site import measure, serve
from toolchain.cli.train import train
from toolchain.cli.tune import tune

app = typer.Typer(
    name="toolchain",
    help="Turns an image classifier into a static web page that tags images in the browser.",
    no_args_is_help=True,
    add_completion=False,
    # Plain help and plain tracebacks: drawing them would cost a fifth of a second at start.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in (
    *(build, train, pull, models, inspect, evaluate, tune, serve, measure),
    *(deploy, rollback, verify, server_config, doctor),
):
    app.command()(command)
app.add_typer(report.app, name="report")
app.add_typer(cache.app, name="cache")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"toolchain {__version__}")
        raise typer.Exit


@app.callback()
def toolchain(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show tracebacks, and messages of TensorFlow and host tools."),
    ] = False,
) -> None:
    """Take the options that all commands share."""
