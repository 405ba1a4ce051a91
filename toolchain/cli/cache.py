"""The commands of `toolchain cache`: show what is in the cache, and remove it."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Show what is in the cache of earlier work, or remove it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Print where the cache is, what is in it, when it was last used, and its size limit."""
    from toolchain.cache import inventory
    from toolchain.cache.store import Store
    from toolchain.cli import cache_tables

    store = Store.default()
    survey = inventory.survey(store)
    if as_json:
        typer.echo(cache_tables.as_json(survey))
    else:
        cache_tables.print_survey(survey)


@app.command()
def prune(
    older: Annotated[
        str,
        typer.Option(
            metavar="AGE",
            help="Remove what was not used for this long: hours, days or weeks, like 12h, 30d, 2w.",
        ),
    ],
) -> None:
    """Remove entries that were not used for some time, except those in use."""
    from toolchain import units
    from toolchain.cache import inventory
    from toolchain.cache.store import Store
    from toolchain.cli import cache_tables
    from toolchain.errors import BadInputError

    try:
        age = units.age_of(older)
    except ValueError as error:
        raise BadInputError(f"--older {error}") from error
    store = Store.default()
    cache_tables.print_removal(store.root, inventory.prune(store, age))


@app.command()
def clear() -> None:
    """Remove all entries, except those in use."""
    from toolchain.cache import inventory
    from toolchain.cache.store import Store
    from toolchain.cli import cache_tables

    store = Store.default()
    cache_tables.print_removal(store.root, inventory.clear(store))
