"""The settings of quantisation by a recipe."""

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
    """The settings of quantisation by a recipe.

    `auto` finds the smallest plan whose drop stays within `max_drop`; `int8` uses all 8 bits
    and a step per channel; `mixed` and `tiny` use 4.5 and 3.8 bits a weight on average, and
    0.9 more without photos to round by.
    """

    recipe: Recipe
    form: Format = "packed"
    calibration: Path | None = None
    """Photos to round by; None for generated pictures. Labels of class folders are used."""
    evaluation: Path | None = None
    """Photos to judge by, in class folders or without labels; None to hold out some of the
    calibration photos. Photos that are rounded by are left out."""
    held_out: Path | None = None
    """For a model that was trained on these photos: a file of its outputs for them by layers that
    have not learned from them (`toolchain train` writes it), so that what compression costs is
    judged as on new photos."""
    max_drop: float = 1.0
    """Allowed drop in points of top-1; for multi-label models, allowed change of the scores."""
    max_bytes: int | None = None
    """Allowed bytes of `model.json` and the weights, after Brotli."""
    seed: int = 0
    shard_bytes: int = SHARD_BYTES

    @property
    def name(self) -> str:
        """The word for this on the command line."""
        return self.recipe
