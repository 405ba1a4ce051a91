"""What to build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from toolchain.records.card import Declared
from toolchain.site.configuration import PageOptions
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.quantize.settings import QuantizeSettings
    from toolchain.sources.request import Request

Weights: TypeAlias = "Stored | QuantizeSettings"
"""How to store a model's weights: as the converter does, or quantised by a recipe."""


@dataclass(frozen=True)
class BuildOptions:
    """What to build and where to."""

    request: Request
    out: Path
    weights: Weights = field(default_factory=Stored)
    """How to store them in the variant that the page begins with."""
    variants: tuple[Weights, ...] = ()
    """Other ways to store them, of other names, for the visitor to choose."""
    declared: Declared = field(default_factory=Declared)
    """What the user says of the model; it holds over what its source says."""
    preview: Request | None = None
    """A small model with the same labels, to answer first visits until the other one is there.
    What is declared holds for it too, but for the size and the licence."""
    fallback: bool = True
    """Build the embedded model where the hosts of a catalogue model are out of reach, and no
    preview where those of the preview are."""
    page: PageOptions = field(default_factory=PageOptions)
