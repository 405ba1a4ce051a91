"""The options for storing a model's weights."""

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
        help="How to store the weights: by a recipe, auto, int8, mixed or tiny, or as the "
        "converter does, none, float16, uint16 or uint8.",
        show_default="auto",
    ),
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="WORD",
        help="A word for --quantize; given several times, the page begins with the first, and the "
        "visitor can choose another or compare them.",
    ),
]
Form = Annotated[
    str,
    typer.Option(
        "--format", help="A recipe's form: packed, for this page, or stock, for any TF.js."
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(help="Folder of photos to round by; labels of class folders are used too."),
]
EvaluationPhotos = Annotated[
    Path | None,
    typer.Option(
        "--evaluation", help="Folder of photos to judge plans by, with one folder per class."
    ),
]
MaxDrop = Annotated[float, typer.Option(min=0, max=100, help="Points of top-1 that auto may lose.")]
MaxBytes = Annotated[
    str | None,
    typer.Option(help="Most bytes of auto's model.json and weights together, after Brotli: 2MB."),
]
ShardSize = Annotated[str, typer.Option(help="Largest size of one weight file, like 4MiB.")]

DEFAULT_WEIGHTS = "auto"
_SMALLEST_SHARD = 64 << 10


@dataclass(frozen=True)
class RecipeOptions:
    """The options that apply to all recipes."""

    form: Form = "packed"
    calibration: Calibration = None
    evaluation: EvaluationPhotos = None
    max_drop: MaxDrop = 1.0
    max_bytes: MaxBytes = None
    shard_size: ShardSize = "4MiB"

    def settings(self, recipe: Recipe) -> QuantizeSettings:
        """Return the settings for a recipe.

        Raises:
            BadInputError: The form is unknown, or a size cannot be parsed.
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
        """Parse a word for storing the weights: one of the converter's, or a recipe.

        Raises:
            BadInputError: The word is unknown (the message names the option), or a size cannot
                be parsed.
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
    """Return the words for the first variant and for the others.

    Raises:
        BadInputError: Both options are given, or one word twice.
    """
    from toolchain.errors import BadInputError

    if not variants:
        return [quantize or DEFAULT_WEIGHTS]
    if quantize is not None:
        raise BadInputError(
            "--quantize and --variant both say how to store the weights; "
            f"write --variant {quantize} for one more variant"
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
        raise BadInputError(f"--shard-size {text} is too small; give at least 64KiB")
    return size
