"""What a format of model files has to provide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.records.card import Declared

MOST_NUMBERS = 1 << 26
"""The most numbers of one tensor. Chosen: 256 MiB, far above any layer of a small classifier."""


class UnsupportedError(Exception):
    """A file has something that is not read; the text is one clause."""


@dataclass(frozen=True)
class Named:
    """What the user says of a model before it is read; None for what is to be found out."""

    signature: str | None = None
    input: str | None = None
    output: str | None = None
    size: tuple[int, int] | None = None
    """Height and width of its photos, in pixels, where the file leaves them open."""


NOTHING_NAMED = Named()


class Reader(Protocol):
    """Reads a model and writes it as a SavedModel."""

    def __call__(
        self, path: Path, saved_model: Path, /, *, trusted: bool, named: Named
    ) -> Declared:
        """Write the model at `path` as a SavedModel.

        Args:
            path: The file or folder.
            saved_model: The folder to write; it must not exist.
            trusted: Whether the model may run code of its author.
            named: The parts that the user names, for formats that do not tell them.

        Returns:
            What the file tells of the model besides its graph, such as its labels.

        Raises:
            BadInputError: It cannot be read; the message names it and the way out.
        """


@dataclass(frozen=True)
class Format:
    """A format of model files."""

    named: str
    """How messages name it, such as `Keras files`."""
    suffixes: tuple[str, ...]
    """How the names of its files end; empty if it has none of its own."""
    recognises: Callable[[Path], bool]
    """Tells whether an existing file or folder has this format, by its name or its first bytes."""
    read: Reader
    companions: Callable[[Path], tuple[Path, ...]] = lambda _: ()
    """Returns the files beside it that are read with it."""
    foreign_code: Callable[[Path], str | None] = lambda _: None
    """Names a part that runs code of its author when it is read, or None. With `--trust`, the
    user is told of it."""
