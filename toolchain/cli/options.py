"""The options that several commands share, and what their texts mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from toolchain.card import Declared
    from toolchain.sources.resolve import Request
    from toolchain.tfjs.convert import Quantization

# Typer reads these at run time on Python 3.10 too, hence Optional.
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Catalogue name, TF Hub URL, Kaggle handle, SavedModel folder or .tar.gz, Keras "
        "file, or `embedded`.",
    ),
]
Quantize = Annotated[
    str, typer.Option("--quantize", "-q", help="Weights as none, float16, uint16 or uint8.")
]
ShardSize = Annotated[str, typer.Option(help="Largest size of one weight file, like 4MiB.")]
Labels = Annotated[Path | None, typer.Option(help="Text file with one class name a line.")]
LabelOffset = Annotated[
    int | None, typer.Option(min=0, help="Outputs before the first label (background: 1).")
]
InputSize = Annotated[str | None, typer.Option(help="Size of the input image: 224 or 192x256.")]
ValueRange = Annotated[
    str | None, typer.Option(help="What pixel values 0 and 255 become: 0,1 or -1,1 or 0,255.")
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

_SHARD_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "kb": 1000, "mb": 1_000_000}
_SMALLEST_SHARD = 64 << 10


def quantization_of(text: str) -> Quantization:
    """Read `--quantize`.

    Raises:
        BadInputError: It is none of the converter's.
    """
    from toolchain.errors import BadInputError
    from toolchain.tfjs.convert import QUANTIZATIONS

    for known in QUANTIZATIONS:
        if known == text:
            return known
    raise BadInputError(f"--quantize {text} is not known; it is one of {', '.join(QUANTIZATIONS)}")


def shard_bytes_of(text: str) -> int:
    """Read a size such as `4MiB`, `500kB` or `4194304` as bytes.

    Raises:
        BadInputError: It is no size, or under 64 KiB.
    """
    from toolchain.errors import BadInputError

    match = re.fullmatch(r"(\d+)\s*([a-z]*)", text.strip().lower())
    if not match or match[2] not in _SHARD_UNITS:
        raise BadInputError(f"--shard-size {text} is no size; write it like 4MiB")
    size = int(match[1]) * _SHARD_UNITS[match[2]]
    if size < _SMALLEST_SHARD:
        raise BadInputError(f"--shard-size {text} is too small; 64KiB is the least")
    return size


def declared_by(
    *,
    labels: Path | None = None,
    label_offset: int | None = None,
    input_size: str | None = None,
    value_range: str | None = None,
    crop_fraction: float | None = None,
    licence: str | None = None,
) -> Declared:
    """Collect what the user says of the model.

    Raises:
        BadInputError: A text cannot be read as what it should be.
    """
    from pydantic import ValidationError

    from toolchain.card import Declared, first_fault, read_labels
    from toolchain.errors import BadInputError

    height = width = None
    if input_size is not None:
        match = re.fullmatch(r"(\d+)(?:x(\d+))?", input_size)
        if not match:
            raise BadInputError(
                f"--input-size {input_size} is no size; write 224, or height x width as 192x256"
            )
        height, width = int(match[1]), int(match[2] or match[1])
    limits = None
    if value_range is not None:
        try:
            low, high = (float(part) for part in value_range.split(","))
        except ValueError:
            raise BadInputError(
                f"--value-range {value_range} is no pair of numbers; write it like 0,1 or -1,1"
            ) from None
        limits = (low, high)
    try:
        return Declared(
            labels=read_labels(labels) if labels else None,
            label_offset=label_offset,
            height=height,
            width=width,
            value_range=limits,
            crop_fraction=crop_fraction,
            licence=licence,
        )
    except ValidationError as error:
        raise BadInputError(f"the options do not fit: {first_fault(error)}") from error


def request_for(
    model: str,
    *,
    pins: Path,
    timeout: float,
    mirror: str | None = None,
    sha256: str | None = None,
    update_pin: bool = False,
    patient: bool = True,
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
    )
