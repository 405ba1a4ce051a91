"""The options that several commands share, and what their texts mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from toolchain.card import Declared
    from toolchain.compress.options import CompressOptions, Recipe
    from toolchain.sources.resolve import Request
    from toolchain.tfjs.convert import Quantization

Word = TypeVar("Word", bound=str)

# Typer reads these at run time on Python 3.10 too, hence Optional.
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Catalogue name, TF Hub URL, Kaggle handle, SavedModel folder, .tar.gz or .zip, Keras "
        "file, or `embedded`.",
    ),
]
Preview = Annotated[
    str | None,
    typer.Option(
        help="A small model with the same labels, named as by --model, that answers until the "
        "other one is there. What is said of labels, pixels and crop holds for it too, "
        "--input-size does not."
    ),
]
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
        help="Bytes that auto's model.json and weights may take together behind Brotli: 2MB."
    ),
]
Engine = Annotated[
    str | None, typer.Option(help="Dask scheduler that does the work, as tcp://host:8786.")
]
ShardSize = Annotated[str, typer.Option(help="Largest size of one weight file, like 4MiB.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load a model that runs code of its author's: Lambda layers, operations on files.",
    ),
]
Labels = Annotated[
    Path | None, typer.Option(help="File of class names: one a line, CSV, JSON or pbtxt.")
]
LabelOffset = Annotated[
    int | None, typer.Option(min=0, help="Outputs before the first label (background: 1).")
]
InputSize = Annotated[str | None, typer.Option(help="Size of the input image: 224 or 192x256.")]
ValueRange = Annotated[
    str | None, typer.Option(help="What pixel values 0 and 255 become: 0,1 or -1,1 or 0,255.")
]
Mean = Annotated[
    str | None,
    typer.Option(
        help="Subtracted from red, green and blue, in units of --value-range: 0.485,0.456,0.406."
    ),
]
Std = Annotated[
    str | None, typer.Option(help="What the rest is divided by, likewise: 0.229,0.224,0.225.")
]
ChannelOrder = Annotated[
    str | None,
    typer.Option("--channels", help="The order in which the model wants the colours: rgb or bgr."),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task", help="single-label, or multi-label: every label with a score of its own."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Score from which on a multi-label model's label is a tag.", show_default="0.5"
    ),
]
CropFraction = Annotated[
    float | None, typer.Option(help="Part of a photo's shorter side that the crop keeps.")
]
Licence = Annotated[str | None, typer.Option(help="The model's licence, shown on the page.")]
Mirror = Annotated[
    str | None,
    typer.Option(envvar="TOOLCHAIN_TFHUB_MIRROR", help="Base URL to use for https://tfhub.dev."),
]
Sha256 = Annotated[str | None, typer.Option(help="The digest that the model must have.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds that one download may take.")]
LockFile = Annotated[Path, typer.Option(help="Where the digests of fetched models are pinned.")]
UpdatePin = Annotated[bool, typer.Option("--update-pin", help="Pin the digest that comes now.")]
Network = Annotated[
    str,
    typer.Option(
        help="slow-3g, fast-3g, 4g, cable, none, or rate and round trip like 9mbit,170ms."
    ),
]
Backend = Annotated[
    str, typer.Option(help="What the page shall run on: auto, wasm, webgl, webgpu or cpu.")
]
Host = Annotated[
    str, typer.Option(help="Who serves a folder: toolchain, or plain, which sends no encodings.")
]
Budget = Annotated[
    Path | None,
    typer.Option(help="TOML file of limits; a site over them stays, but the command fails."),
]

_SMALLEST_SHARD = 64 << 10


DEFAULT_WEIGHTS = "auto"


def words_of(quantize: str | None, variants: list[str] | None) -> tuple[str, list[str]]:
    """Return how the weights are asked for, and the other variants.

    Raises:
        BadInputError: They are asked for in both ways, or one of them twice.
    """
    from toolchain.errors import BadInputError

    if not variants:
        return quantize or DEFAULT_WEIGHTS, []
    if quantize is not None:
        raise BadInputError(
            "--quantize and --variant both say how to store the weights; "
            f"write --variant {quantize} for one variant more"
        )
    for place, word in enumerate(variants):
        if word in variants[:place]:
            raise BadInputError(f"--variant {word} is given twice; leave one out")
    first, *others = variants
    return first, others


def weights_of(
    text: str,
    *,
    option: str = "--quantize",
    form: str,
    calibration: Path | None,
    evaluation: Path | None,
    max_drop: float,
    max_bytes: str | None,
    shard_bytes: int,
) -> tuple[Quantization, CompressOptions | None]:
    """Read how the weights are to be stored: by the converter, or by a recipe.

    Raises:
        BadInputError: A word is not known, or a size is none.
    """
    from toolchain.compress.options import RECIPES
    from toolchain.errors import BadInputError
    from toolchain.tfjs.convert import QUANTIZATIONS

    for known in QUANTIZATIONS:
        if known == text:
            return known, None
    for recipe in RECIPES:
        if recipe == text:
            return "none", compression_by(
                recipe,
                form=form,
                calibration=calibration,
                evaluation=evaluation,
                max_drop=max_drop,
                max_bytes=max_bytes,
                shard_bytes=shard_bytes,
            )
    raise BadInputError(
        f"{option} {text} is not known; it is one of {', '.join((*QUANTIZATIONS, *RECIPES))}"
    )


def compression_by(
    recipe: Recipe,
    *,
    form: str,
    calibration: Path | None,
    evaluation: Path | None,
    max_drop: float,
    max_bytes: str | None,
    shard_bytes: int,
) -> CompressOptions:
    """Put together how to compress by a recipe.

    Raises:
        BadInputError: The form is not known, or a size is none.
    """
    from toolchain.compress.options import CompressOptions
    from toolchain.errors import BadInputError
    from toolchain.tfjs.quantised import FORMATS

    forms = [known for known in FORMATS if known == form]
    if not forms:
        raise BadInputError(f"--format {form} is not known; it is {' or '.join(FORMATS)}")
    return CompressOptions(
        recipe=recipe,
        form=forms[0],
        calibration=calibration,
        evaluation=evaluation,
        max_drop=max_drop,
        max_bytes=None if max_bytes is None else bytes_of("--max-bytes", max_bytes),
        shard_bytes=shard_bytes,
    )


def shard_bytes_of(text: str) -> int:
    """Read `--shard-size`.

    Raises:
        BadInputError: It is no size, or under 64 KiB.
    """
    from toolchain.errors import BadInputError

    size = bytes_of("--shard-size", text)
    if size < _SMALLEST_SHARD:
        raise BadInputError(f"--shard-size {text} is too small; 64KiB is the least")
    return size


def bytes_of(option: str, text: str) -> int:
    """Read a size such as `4MiB`, `500kB`, `1.5MB` or `4194304` as bytes.

    Raises:
        BadInputError: It is no size; the option is named.
    """
    from toolchain import units
    from toolchain.errors import BadInputError

    try:
        return units.bytes_of(text)
    except ValueError as error:
        raise BadInputError(f"{option} {error}") from None


def declared_by(
    *,
    labels: Path | None = None,
    label_offset: int | None = None,
    input_size: str | None = None,
    value_range: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    channels: str | None = None,
    task: str | None = None,
    threshold: float | None = None,
    crop_fraction: float | None = None,
    licence: str | None = None,
) -> Declared:
    """Collect what the user says of the model.

    Raises:
        BadInputError: A text cannot be read as what it should be.
    """
    from pydantic import ValidationError

    from toolchain import labels as label_file
    from toolchain.card import Declared, first_fault
    from toolchain.errors import BadInputError

    height = width = None
    if input_size is not None:
        match = re.fullmatch(r"(\d+)(?:x(\d+))?", input_size)
        if not match:
            raise BadInputError(
                f"--input-size {input_size} is no size; write 224, or height x width as 192x256"
            )
        height, width = int(match[1]), int(match[2] or match[1])
    limits = _numbers(
        "--value-range", value_range, 2, "a pair of numbers; write it like 0,1 or -1,1"
    )
    three = "three numbers, of red, green and blue; write it like 0.485,0.456,0.406"
    read = label_file.read(labels) if labels else None
    said = {
        "labels": read.names if read else None,
        "label_notes": read.notes or None if read else None,
        "label_offset": label_offset,
        "height": height,
        "width": width,
        "value_range": limits,
        "mean": _numbers("--mean", mean, 3, three),
        "std": _numbers("--std", std, 3, three),
        "channels": channels,
        "crop_fraction": crop_fraction,
        "task": task,
        "threshold": threshold,
        "licence": licence,
    }
    try:
        return Declared.model_validate(said)
    except ValidationError as error:
        raise BadInputError(f"the options do not fit: {first_fault(error)}") from error


def _numbers(option: str, text: str | None, count: int, form: str) -> tuple[float, ...] | None:
    from toolchain.errors import BadInputError

    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise BadInputError(f"{option} {text} is not {form}")
    return numbers


def request_for(
    model: str,
    *,
    pins: Path,
    timeout: float,
    mirror: str | None = None,
    sha256: str | None = None,
    update_pin: bool = False,
    patient: bool = True,
    trust: bool = False,
) -> Request:
    """Put together how to ask for a model."""
    from toolchain.sources.network import NetworkPolicy
    from toolchain.sources.resolve import Request

    return Request(
        model=model,
        pins=pins,
        update_pin=update_pin,
        sha256=sha256,
        mirror=mirror,
        policy=NetworkPolicy(deadline=timeout),
        patient=patient,
        trust=trust,
    )


def one_of(option: str, text: str, known: tuple[Word, ...]) -> Word:
    """Return the word that was given, if it is one of these.

    Raises:
        BadInputError: It is none; the option is named.
    """
    from toolchain.errors import BadInputError

    for word in known:
        if word == text:
            return word
    raise BadInputError(f"{option} {text} is not known; it is one of {', '.join(known)}")
