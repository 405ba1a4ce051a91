"""The record of all that a site's visitors get, by whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolchain.card import ModelCard
    from toolchain.site.parts import Sample, Shipped

LICENCE = "Apache-2.0"
"""Of this project."""


@dataclass(frozen=True)
class Contents:
    """What a site is made of besides texts of its own."""

    shipped: Shipped
    cards: tuple[ModelCard, ...]
    """Of its models, each once."""
    samples: tuple[Sample, ...]
    own_files: bool
    """Whether files of a user's template are in it."""
