"""How to quantise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from toolchain.tfjs.shards import SHARD_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.quantize.writing import Format

Recipe = Literal["auto", "int8", "mixed", "tiny"]
RECIPES: tuple[Recipe, ...] = get_args(Recipe)


@dataclass(frozen=True)
class QuantizeSettings:
    """How to quantise by a recipe.

    `auto` finds the smallest plan whose drop stays within `max_drop`; `int8` keeps a step
    for each channel and all 8 bits; `mixed` and `tiny` take 4.5 and 3.8 bits for each
    weight on average, and 0.9 more where there are no photos to round by.
    """

    recipe: Recipe
    form: Format = "packed"
    calibration: Path | None = None
    """Photos to round by; None: generated pictures. Labels of class folders are used."""
    evaluation: Path | None = None
    """Photos to judge by, an ImageFolder or unlabelled; None: calibration photos held out.
    Those that were rounded by are left out."""
    max_drop: float = 1.0
    """In points of top-1; of a network with several labels a photo, of its scores."""
    max_bytes: int | None = None
    """Of `model.json` and the weights, after Brotli."""
    seed: int = 0
    shard_bytes: int = SHARD_BYTES

    @property
    def name(self) -> str:
        """The word that asks for weights stored so."""
        return self.recipe
