"""Options of several commands, and how to parse their values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import typer

Word = TypeVar("Word", bound=str)

# Typer reads these at run time on Python 3.10 too, hence Optional.
Engine = Annotated[
    str | None, typer.Option(help="Dask scheduler that does the work, like tcp://host:8786.")
]
Budget = Annotated[
    Path | None,
    typer.Option(help="TOML file of limits; over them the command fails, but the site stays."),
]
Network = Annotated[
    str,
    typer.Option(
        help="slow-3g, fast-3g, 4g, cable, none, or bandwidth and round trip like 9mbit,170ms."
    ),
]
Backend = Annotated[str, typer.Option(help="The page's backend: auto, wasm, webgl, webgpu or cpu.")]
Host = Annotated[
    str, typer.Option(help="How to serve a folder: toolchain, or plain, without compression.")
]


def bytes_of(option: str, text: str) -> int:
    """Read a size such as `4MiB`, `500kB`, `1.5MB` or `4194304` as bytes.

    Raises:
        BadInputError: It is not a size; the message names the option.
    """
    from toolchain import units
    from toolchain.errors import BadInputError

    try:
        return units.bytes_of(text)
    except ValueError as error:
        raise BadInputError(f"{option} {error}") from None


def one_of(option: str, text: str, known: tuple[Word, ...]) -> Word:
    """Return the user's word if it is one of the known ones.

    Raises:
        BadInputError: It is not; the message names the option.
    """
    from toolchain.errors import BadInputError

    for word in known:
        if word == text:
            return word
    raise BadInputError(f"{option} {text} is not known; it is one of {', '.join(known)}")
