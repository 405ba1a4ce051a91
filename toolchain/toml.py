"""Reads TOML files on every Python version that this tool supports."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from toolchain import text
from toolchain.errors import BadInputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        BadInputError: It cannot be read, or is not TOML.
    """
    try:
        content: dict[str, Any] = tomllib.loads(text.read(path))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} cannot be read as TOML: {error}") from error
    return content
