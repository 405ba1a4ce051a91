"""Prints `docs/cli.md`, made from the application's own commands; run by `make docs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.main import get_command

from toolchain.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# All commands and options

Made by `make docs` from the code; do not edit it by hand. Every command also takes `--help`. Square
brackets hold the default, the allowed range, or the environment variable that sets the option."""


def text() -> str:
    """Return the page, in Markdown."""
    return "\n\n".join([_HEAD, *_of_command(get_command(app), "toolchain", level=2)]) + "\n"


def _of_command(command: Any, name: str, level: int) -> Iterator[str]:
    context = typer.Context(command)
    yield f"{'#' * level} {name}"
    yield command.help
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```"
    entries = [
        f"- `{record[0]}`: {record[1]}"
        for parameter in command.get_params(context)
        if parameter.name != "help" and (record := parameter.get_help_record(context))
    ]
    if entries:
        yield "\n".join(entries)
    for inner, found in getattr(command, "commands", {}).items():
        yield from _of_command(found, f"{name} {inner}", min(level + 1, 4))


if __name__ == "__main__":
    sys.stdout.write(text())
