"""What is known about a model besides its graph: its origin, its input and its labels.

A source *declares* what it knows (:class:`Declared`), the user may declare more with options or
a sidecar file, and the graph's signature tells the rest. The result is one :class:`ModelCard`
that every later stage and the page read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from toolchain import text, toml
from toolchain.errors import BadInputError
from toolchain.labels import reading as label_file
from toolchain.records.none_of_these import NoneOfThese
from toolchain.records.record import Record

if TYPE_CHECKING:
    from pathlib import Path

MAX_SIDE = 4096
"""The largest side of an input image, in pixels: as float32, such an image takes 200 MB."""
_LONGEST_KEY = 200  # characters of a key in an error message; a file may hold any key
CROP_FRACTION = 0.875
"""The centred part of a photo's shorter side that the classifier sees. The value is that of the
evaluation crop of Howard et al. 2017 (arXiv:1704.04861) and TF-Slim."""


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] >= limits[1]:
        raise ValueError("the first number must be the smaller one")
    return limits


ValueRange = Annotated[
    tuple[float, float],
    AfterValidator(_ascending),
    Field(json_schema_extra={"uniqueItems": True}),
]
"""What pixel values 0 and 255 become in the input tensor."""


Shown = Annotated[str, AfterValidator(text.shown)]
"""A line of text that the page can show."""
Line = Annotated[str, AfterValidator(text.line)]
"""The same, not empty."""


Channels = Literal["rgb", "bgr"]
"""The order in which a network expects the colours of a pixel."""
Task = Literal["single-label", "multi-label"]
"""Whether a photo has one label, or any number of labels with independent scores."""
RangeSource = Literal["declared", "graph", "guessed", "unknown"]
"""How the range is known: a source or the user declared it, the graph's constants tell it, or it
is a guess. A model of unknown range can be inspected but not built."""
Activation = Literal["softmax", "sigmoid", "none"]
"""What turns a network's outputs into scores; `none` if they are scores already."""
Means = tuple[float, float, float]
Deviations = tuple[
    Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]
]
NO_MEAN: Means = (0.0, 0.0, 0.0)
NO_STD: Deviations = (1.0, 1.0, 1.0)
THRESHOLD = 0.5
"""The score from which a label of a multi-label model counts as a tag."""


class InputSpec(Record):
    """How a photo becomes the input tensor, float32 `[1, height, width, 3]`.

    Pixel values 0…255 are mapped linearly onto `value_range`. Then, for each channel, `mean` is
    subtracted and the result divided by `std`. Then the channels are put into the order of
    `channels`. `crop_fraction` is the part of the shorter side that the centred square crop keeps.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    height: Annotated[int, Field(gt=0, le=MAX_SIDE)]
    width: Annotated[int, Field(gt=0, le=MAX_SIDE)]
    value_range: ValueRange
    crop_fraction: Annotated[float, Field(gt=0, le=1)] = CROP_FRACTION
    mean: Means = NO_MEAN
    """For red, green and blue, in this order for any `channels`, in units of `value_range`."""
    std: Deviations = NO_STD
    """In the same order and units as `mean`."""
    channels: Channels = "rgb"


class PixelRange(Record):
    """Which pixel values a network expects, and how that is known."""

    value_range: ValueRange
    source: RangeSource
    reason: str
    """A sentence for people: what tells the range, or why it is guessed."""
    mean: Means = NO_MEAN
    std: Deviations = NO_STD
    channels: Channels = "rgb"
    takes_bytes: bool = False
    """Whether its input is of integers, so that no other range is possible."""


HUB_RANGE = PixelRange(
    value_range=(0.0, 1.0),
    source="guessed",
    reason="TF Hub's convention for images is 0…1",
)


class Provenance(Record):
    """Where the model came from and its digest, for the page and the report."""

    name: str
    source: str
    """A TF Hub URL, a Kaggle handle, a package, or the file name of a local model."""
    licence: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Digest of the model's file, or of a folder's listing (`digest.of_tree`)."""


class ModelCard(Record):
    """Everything that later stages need to know about a model besides its graph."""

    provenance: Provenance
    input: InputSpec
    label_offset: Annotated[int, Field(ge=0)]
    """How many outputs come before the first label; 1 where class 0 is "background"."""
    labels: tuple[str, ...]
    task: Task = "single-label"
    threshold: Annotated[float, Field(gt=0, lt=1)] = THRESHOLD
    """For a multi-label model: the score from which a label counts as a tag."""
    none_of_these: NoneOfThese | None = None
    """The rule that finds photos of none of the labels; None if the model has no such rule."""
    range_source: RangeSource = "declared"
    """How the input's range is known."""
    range_reason: str = ""
    """A sentence for people: what tells the range, or why it is guessed."""

    @property
    def classes(self) -> int:
        """Number of the model's outputs."""
        return self.label_offset + len(self.labels)


class Declared(Record):
    """What a source or the user declares about a model; None for what they do not declare.

    The fields are also the keys of a sidecar file, `<model>.toml` beside the model.
    """

    name: Line | None = None
    licence: Line | None = None
    labels: tuple[Shown, ...] | None = None
    label_notes: tuple[str, ...] | None = None
    """Sentences that tell what was assumed when the labels were read from a file."""
    notes: tuple[str, ...] | None = None
    """Sentences for the user on what a source's files ask for and the page does otherwise, or on
    what was assumed of them."""
    label_offset: Annotated[int, Field(ge=0)] | None = None
    height: Annotated[int, Field(gt=0, le=MAX_SIDE)] | None = None
    width: Annotated[int, Field(gt=0, le=MAX_SIDE)] | None = None
    value_range: ValueRange | None = None
    mean: Means | None = None
    std: Deviations | None = None
    channels: Channels | None = None
    crop_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    task: Task | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    none_of_these: NoneOfThese | None = None
    """In a sidecar file, a table with the keys of that record."""
    signature: Line | None = None
    """Which signature of a SavedModel classifies."""
    input: Line | None = None
    """Which input takes the photo; in a frozen graph, any node."""
    output: Line | None = None
    """Which output has the scores; in a frozen graph, any node."""

    def over(self, weaker: Declared) -> Declared:
        """Return both merged; where both declare a value, this one's overrides."""
        theirs, own = weaker.model_dump(exclude_none=True), self.model_dump(exclude_none=True)
        if self.labels is not None:
            theirs.pop("label_notes", None)  # they are about other labels
        return Declared(**{**theirs, **own})


def read_sidecar(path: Path) -> Declared:
    """Read a model's sidecar TOML; its keys are the fields of :class:`Declared`.

    `labels` may be a list, or the name of a file beside the sidecar in any format that
    :func:`toolchain.labels.reading.read` reads.

    Raises:
        BadInputError: The file cannot be read, is not TOML, or has an unknown key or a wrong value.
    """
    return declared_in(toml.read(path), path)


def declared_in(content: dict[str, Any], path: Path) -> Declared:
    """Return the declarations in the content of a sidecar TOML.

    Args:
        content: The content.
        path: The file, for messages and for files that it names.

    Raises:
        BadInputError: It has an unknown key or a wrong value.
    """
    for key in ("label_notes", "notes"):
        if key in content:
            raise BadInputError(f"{path}: {key}: this key cannot be set in a file; leave it out")
    if isinstance(named := content.get("labels"), str):
        found = label_file.read(path.parent / named)
        content |= {"labels": found.names, "label_notes": found.notes or None}
    try:
        return Declared(**content)
    except ValidationError as error:
        raise BadInputError(f"{path}: {first_fault(error)}") from error


def first_fault(error: ValidationError) -> str:
    """Return the first validation error as one clause that names the key, shortened if long."""
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"]) or "the file"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{text.brief(key, _LONGEST_KEY)}: {message[:1].lower()}{message[1:]}"
