"""The options of a build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from toolchain.records.card import Declared
from toolchain.site.configuration import PageOptions
from toolchain.site.origins import NOBODY, Origins
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.quantize.settings import QuantizeSettings
    from toolchain.site.npm_package import NpmName
    from toolchain.sources.request import Request

Weights: TypeAlias = "Stored | QuantizeSettings"
"""How to store a model's weights: as the converter does, or quantised by a recipe."""


@dataclass(frozen=True)
class BuildOptions:
    """What to build, and where."""

    request: Request
    out: Path
    weights: Weights = field(default_factory=Stored)
    """How to store the weights of the variant that the page begins with."""
    variants: tuple[Weights, ...] = ()
    """Other ways to store the weights, with other names, for the visitor to choose."""
    declared: Declared = field(default_factory=Declared)
    """What the user says of the model; it overrides what its source says."""
    head: Path | None = None
    """File of a page with tags that a visitor has taught; they take the place of the model's."""
    preview: Request | None = None
    """A small model with the same labels, to answer first visits until the full one has come.
    Except for size, licence and `none_of_these`, `declared` applies to it too."""
    fallback: bool = True
    """Whether to build the embedded model if the hosts of a catalogue model cannot be reached,
    and to leave out the preview if its hosts cannot."""
    page: PageOptions = field(default_factory=PageOptions)
    origins: Origins = NOBODY
    """Which other sites may use the site."""
    package: NpmName | None = None
    """The npm package to write beside the site, if any; see :mod:`toolchain.site.npm_package`."""
