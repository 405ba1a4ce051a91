"""The record of a site's bill of materials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolchain.records.card import ModelCard
    from toolchain.site.web_bundle import Sample, Shipped


@dataclass(frozen=True)
class BillOfMaterials:
    """The parts of a site that have an author: code, models and photos."""

    shipped: Shipped
    cards: tuple[ModelCard, ...]
    """Cards of its models, each once."""
    samples: tuple[Sample, ...]
    own_files: bool
    """Whether the site holds files of a user's template."""
