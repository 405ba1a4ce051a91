"""The requirements of this installation of toolchain, read from the package's own metadata."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE = "toolchain"
CONVERTER = "tensorflowjs"
"""The metadata requires it only below Python 3.13, where pip can install its dependencies."""


def needed() -> list[Requirement]:
    """Return the requirements that apply to this Python and system, without those of extras.

    Raises:
        importlib.metadata.PackageNotFoundError: toolchain runs from a checkout and is not
            installed.
    """
    from packaging.requirements import Requirement

    declared = map(Requirement, metadata.requires(PACKAGE) or ())
    return [
        each
        for each in declared
        if each.marker is None or each.name == CONVERTER or each.marker.evaluate({"extra": ""})
    ]


def command(requirement: Requirement) -> str:
    """Return the command that installs one requirement; the converter without its dependencies."""
    alone = "--no-deps " if requirement.name == CONVERTER else ""
    return f"pip install {alone}'{requirement.name}{requirement.specifier}'"
