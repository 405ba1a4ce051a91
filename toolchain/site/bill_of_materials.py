"""The record of all that a site holds, by whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolchain.records.card import ModelCard
    from toolchain.site.web_bundle import Sample, Shipped


@dataclass(frozen=True)
class BillOfMaterials:
    """What a site holds that has an author: code, models and photos."""

    shipped: Shipped
    cards: tuple[ModelCard, ...]
    """Of its models, each once."""
    samples: tuple[Sample, ...]
    own_files: bool
    """Whether files of a user's template are in it."""
