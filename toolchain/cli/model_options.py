"""The options for the model: which one, how to fetch it, and what is declared of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from toolchain.formats.format import Named
    from toolchain.records.card import Declared
    from toolchain.sources.request import Request

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Catalogue name, TF Hub URL, Kaggle handle, hf:owner/name of Hugging Face, "
        "keras:Name, SavedModel folder, .tar.gz or .zip, Keras file, TF.js model.json, ONNX or "
        "TFLite file, frozen graph, or `embedded`.",
    ),
]
Preview = Annotated[
    str | None,
    typer.Option(
        help="A small model with the same labels that answers a first visit until the full one "
        "has come; a handle like --model. Options for labels, pixels and crop apply to it too, "
        "--input-size does not."
    ),
]
Sha256 = Annotated[str | None, typer.Option(help="The digest that the model must have.")]
UpdatePin = Annotated[bool, typer.Option("--update-pin", help="Pin the digest of this download.")]
Licence = Annotated[str | None, typer.Option(help="The model's licence, shown on the page.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load a model that runs its author's code: Lambda layers, operations on files.",
    ),
]
Labels = Annotated[
    Path | None, typer.Option(help="File of class names: one per line, CSV, JSON or pbtxt.")
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
    str | None,
    typer.Option(help="Divides the result, in the same units: 0.229,0.224,0.225."),
]
ChannelOrder = Annotated[
    str | None,
    typer.Option("--channels", help="The order of the model's colour channels: rgb or bgr."),
]
TaskOption = Annotated[
    str | None,
    typer.Option("--task", help="single-label, or multi-label: each label has its own score."),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Least score at which a multi-label model's label is a tag.", show_default="0.5"
    ),
]
CropFraction = Annotated[
    float | None, typer.Option(help="Part of a photo's shorter side that the crop keeps.")
]
SignatureName = Annotated[
    str | None,
    typer.Option("--signature", help="Which signature of a SavedModel classifies."),
]
InputName = Annotated[
    str | None,
    typer.Option("--input", help="Which input takes the photo; in a frozen graph, any node."),
]
OutputName = Annotated[
    str | None,
    typer.Option("--output", help="Which output has the scores; in a frozen graph, any node."),
]
Mirror = Annotated[
    str | None,
    typer.Option(envvar="TOOLCHAIN_TFHUB_MIRROR", help="Base URL to use for https://tfhub.dev."),
]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds that one download may take.")]
LockFile = Annotated[Path, typer.Option(help="File with the pinned digests of fetched models.")]


@dataclass(frozen=True)
class Fetching:
    """The options for fetching any model."""

    mirror: Mirror = None
    timeout: Timeout = 600.0
    trust: Trust = False
    lock_file: LockFile = Path("toolchain.lock.json")

    def ask(
        self,
        model: str,
        *,
        sha256: str | None = None,
        update_pin: bool = False,
        patient: bool = True,
        said: Said | None = None,
    ) -> Request:
        """Return the request for a model."""
        from toolchain.formats.format import NOTHING_NAMED
        from toolchain.sources.request import Request
        from toolchain.sources.retries import NetworkPolicy

        return Request(
            model=model,
            lockfile=self.lock_file,
            update_pin=update_pin,
            sha256=sha256,
            mirror=self.mirror,
            policy=NetworkPolicy(deadline=self.timeout),
            patient=patient,
            trust=self.trust,
            named=said.named() if said else NOTHING_NAMED,
        )


@dataclass(frozen=True)
class Said:
    """The options that declare facts about a model, as typed."""

    labels: Labels = None
    label_offset: LabelOffset = None
    input_size: InputSize = None
    value_range: ValueRange = None
    mean: Mean = None
    std: Std = None
    channels: ChannelOrder = None
    task: TaskOption = None
    threshold: Threshold = None
    crop_fraction: CropFraction = None
    signature: SignatureName = None
    input: InputName = None
    output: OutputName = None

    def named(self) -> Named:
        """Return what the options say of a model before it is read.

        Raises:
            BadInputError: The size cannot be parsed.
        """
        from toolchain.formats.format import Named

        height, width = _size(self.input_size)
        size = None if height is None or width is None else (height, width)
        return Named(self.signature, self.input, self.output, size)

    def declared(self, licence: str | None = None) -> Declared:
        """Parse the options.

        Raises:
            BadInputError: An option cannot be parsed, or the options do not fit together.
        """
        from pydantic import ValidationError

        from toolchain.errors import BadInputError
        from toolchain.labels import reading
        from toolchain.records.card import Declared, first_fault

        height, width = _size(self.input_size)
        read = reading.read(self.labels) if self.labels else None
        three = "three numbers, of red, green and blue; write it like 0.485,0.456,0.406"
        pair = "a pair of numbers; write it like 0,1 or -1,1"
        said = {
            "labels": read.names if read else None,
            "label_notes": read.notes or None if read else None,
            "label_offset": self.label_offset,
            "height": height,
            "width": width,
            "value_range": _numbers("--value-range", self.value_range, 2, pair),
            "mean": _numbers("--mean", self.mean, 3, three),
            "std": _numbers("--std", self.std, 3, three),
            "channels": self.channels,
            "crop_fraction": self.crop_fraction,
            "task": self.task,
            "threshold": self.threshold,
            "licence": licence,
            "signature": self.signature,
            "input": self.input,
            "output": self.output,
        }
        try:
            return Declared.model_validate(said)
        except ValidationError as error:
            raise BadInputError(f"the options do not fit: {first_fault(error)}") from error


def _size(text: str | None) -> tuple[int, int] | tuple[None, None]:
    from toolchain.errors import BadInputError

    if text is None:
        return None, None
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if not match:
        raise BadInputError(
            f"--input-size {text} is not a size; write 224, or height x width like 192x256"
        )
    return int(match[1]), int(match[2] or match[1])


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
