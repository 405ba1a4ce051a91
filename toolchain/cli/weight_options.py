"""The options that say how a model's weights are stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from toolchain.pipeline.build_options import Weights
    from toolchain.quantize.settings import QuantizeSettings, Recipe

Quantize = Annotated[
    str | None,
    typer.Option(
        "--quantize",
        "-q",
        help="Weights by a recipe, auto, int8, mixed or tiny, or as the converter's none, float16, "
        "uint16 or uint8.",
        show_default="auto",
    ),
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="WORD",
        help="Weights as --quantize takes them; given several times, the page begins with the "
        "first, and the visitor can choose another or compare them.",
    ),
]
Form = Annotated[
    str,
    typer.Option(
        "--format", help="A recipe's weights packed for this page, or stock for any TF.js."
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        help="Folder of photos that recipes round by; in a folder a class, their labels count too."
    ),
]
EvaluationPhotos = Annotated[
    Path | None,
    typer.Option(
        "--evaluation", help="Folder of photos, a folder a class, that plans are judged by."
    ),
]
MaxDrop = Annotated[float, typer.Option(min=0, max=100, help="Points of top-1 that auto may lose.")]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        help="Bytes that auto's model.json and weights may take together after Brotli: 2MB."
    ),
]
ShardSize = Annotated[str, typer.Option(help="Largest size of one weight file, like 4MiB.")]

DEFAULT_WEIGHTS = "auto"
_SMALLEST_SHARD = 64 << 10


@dataclass(frozen=True)
class RecipeOptions:
    """What the options say of recipes, whichever is chosen."""

    form: Form = "packed"
    calibration: Calibration = None
    evaluation: EvaluationPhotos = None
    max_drop: MaxDrop = 1.0
    max_bytes: MaxBytes = None
    shard_size: ShardSize = "4MiB"

    def settings(self, recipe: Recipe) -> QuantizeSettings:
        """Return how to quantise by a recipe.

        Raises:
            BadInputError: The form is not known, or a size is none.
        """
        from toolchain.cli.options import bytes_of, one_of
        from toolchain.quantize.settings import QuantizeSettings
        from toolchain.quantize.writing import FORMATS

        return QuantizeSettings(
            recipe=recipe,
            form=one_of("--format", self.form, FORMATS),
            calibration=self.calibration,
            evaluation=self.evaluation,
            max_drop=self.max_drop,
            max_bytes=None if self.max_bytes is None else bytes_of("--max-bytes", self.max_bytes),
            shard_bytes=_shard_bytes(self.shard_size),
        )

    def weights(self, word: str, option: str) -> Weights:
        """Read how the weights are to be stored: by the converter, or by a recipe.

        Raises:
            BadInputError: The word is not known, the option is named; or a size is none.
        """
        from toolchain.errors import BadInputError
        from toolchain.quantize.settings import RECIPES
        from toolchain.tfjs.convert import QUANTIZATIONS, Stored

        for known in QUANTIZATIONS:
            if known == word:
                return Stored(known, _shard_bytes(self.shard_size))
        for recipe in RECIPES:
            if recipe == word:
                return self.settings(recipe)
        raise BadInputError(
            f"{option} {word} is not known; it is one of {', '.join((*QUANTIZATIONS, *RECIPES))}"
        )


def words_of(quantize: str | None, variants: list[str] | None) -> list[str]:
    """Return how the weights are asked for: of the first variant, and of the others.

    Raises:
        BadInputError: They are asked for in both ways, or one of them twice.
    """
    from toolchain.errors import BadInputError

    if not variants:
        return [quantize or DEFAULT_WEIGHTS]
    if quantize is not None:
        raise BadInputError(
            "--quantize and --variant both say how to store the weights; "
            f"write --variant {quantize} for one variant more"
        )
    for place, word in enumerate(variants):
        if word in variants[:place]:
            raise BadInputError(f"--variant {word} is given twice; leave one out")
    return variants


def _shard_bytes(text: str) -> int:
    from toolchain.cli.options import bytes_of
    from toolchain.errors import BadInputError

    size = bytes_of("--shard-size", text)
    if size < _SMALLEST_SHARD:
        raise BadInputError(f"--shard-size {text} is too small; 64KiB is the least")
    return size
