"""Makes a classifier's card from what its graph shows and what was declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.labels import imagenet
from toolchain.labels import reading as label_files
from toolchain.records.card import (
    CROP_FRACTION,
    MAX_SIDE,
    NO_MEAN,
    NO_STD,
    THRESHOLD,
    InputSpec,
    ModelCard,
    PixelRange,
    Provenance,
)

if TYPE_CHECKING:
    from toolchain.graph.ending import Ending
    from toolchain.graph.signature import Signature
    from toolchain.records.card import Declared
    from toolchain.records.none_of_these import NoneOfThese


class UnknownRangeError(BadInputError):
    """Nothing tells which pixel values a model was trained on."""


def size_of(signature: Signature, declared: Declared, name: str) -> tuple[int, int]:
    """Return height and width of the network's input.

    Raises:
        BadInputError: The graph contradicts what was declared, or neither tells the size.
    """
    return (
        _agree("height", signature.height, declared.height, name),
        _agree("width", signature.width, declared.width, name),
    )


def range_of(
    shown: PixelRange | None,
    guesses: tuple[PixelRange | None, PixelRange | None],
    declared: Declared,
    name: str,
) -> PixelRange:
    """Return the pixel values that the network expects: declared, shown by the graph, or guessed.

    Args:
        shown: What the graph shows, or a guess by its family's name.
        guesses: The guess by labelled photos, and the guess by the model's source.
        declared: What was declared. With only means, deviations or channels, the range is 0…1 if
            the numbers are small, else 0…255.
        name: How messages name the model.

    Raises:
        BadInputError: Another range is declared for a model that takes bytes.
        UnknownRangeError: Nothing tells the range.
    """
    said = (declared.value_range, declared.mean, declared.std, declared.channels)
    if (
        shown is not None
        and shown.takes_bytes
        and (declared.value_range not in (None, shown.value_range) or any(said[1:]))
    ):
        raise BadInputError(
            f"{name} takes bytes, 0…255, and scales them itself; leave out --value-range, --mean, "
            "--std and --channels"
        )
    if any(each is not None for each in said):
        return PixelRange(
            value_range=declared.value_range or _range_beside(declared),
            source="declared",
            reason="it was declared",
            mean=declared.mean or NO_MEAN,
            std=declared.std or NO_STD,
            channels=declared.channels or "rgb",
        )
    if shown is not None and shown.source == "graph":
        return shown
    by_photos, by_source = guesses
    if found := by_photos or shown or by_source:
        return found
    raise UnknownRangeError(
        f"nothing tells which pixel values {name} was trained on; give --value-range=0,1, "
        "-1,1 or 0,255, and --mean, --std or --channels if it needs them, or give labelled "
        "photos with --evaluation to find the best range"
    )


def input_of(size: tuple[int, int], pixels: PixelRange, declared: Declared) -> InputSpec:
    """Return how a photo becomes the network's input.

    Args:
        size: Height and width.
        pixels: Which pixel values the network takes.
        declared: Tells which part of a photo to use; there is a default for that.
    """
    return InputSpec(
        height=size[0],
        width=size[1],
        value_range=pixels.value_range,
        crop_fraction=declared.crop_fraction or CROP_FRACTION,
        mean=pixels.mean,
        std=pixels.std,
        channels=pixels.channels,
    )


def card_of(
    *,
    labels: tuple[str, ...],
    offset: int,
    spec: InputSpec,
    pixels: PixelRange,
    ending: Ending,
    declared: Declared,
    provenance: Provenance,
) -> ModelCard:
    """Return a card with these values, and defaults for what was not declared."""
    return ModelCard(
        provenance=provenance,
        input=spec,
        label_offset=offset,
        labels=labels,
        task=ending.task,
        threshold=declared.threshold or THRESHOLD,
        none_of_these=declared.none_of_these,
        range_source=pixels.source,
        range_reason=pixels.reason,
    )


def labels_of(
    classes: int | None, declared: Declared, name: str
) -> tuple[tuple[str, ...], int, str | None]:
    """Return the labels, the label offset, and a sentence for the user or None.

    Without declared labels, a model with 1,000 or 1,001 outputs gets ImageNet's.

    Raises:
        BadInputError: Their number does not fit, or nothing tells what they are.
    """
    labels, offset = declared.labels, declared.label_offset
    if labels is None:
        if classes not in (imagenet.CLASSES, imagenet.CLASSES + 1):
            raise BadInputError(
                f"{name} has {classes or 'an unknown number of'} classes, and nothing tells what "
                "they are; give their names with --labels FILE, one on each line"
            )
        labels = imagenet.labels()
    return label_files.fit(labels, offset, classes, name)


def check_rule(rule: NoneOfThese, labels: int, width: int | None, name: str) -> None:
    """Check that the rule "none of these" fits a network.

    Args:
        rule: The rule.
        labels: Number of the model's labels.
        width: Number of the network's features; None if it has none.
        name: How messages name the model.

    Raises:
        BadInputError: It does not fit.
    """
    if rule.labels != labels:
        raise BadInputError(
            f"the rule none_of_these of {name} has centres for {rule.labels} labels, and the model "
            f"has {labels}; make the rule again for these labels, or leave it out"
        )
    if width is None:
        raise BadInputError(
            f"{name} has no single last dense layer that reads one row of features, so its rule "
            "none_of_these cannot be applied; leave it out"
        )
    if (last := int(rule.indices[-1])) >= width:
        raise BadInputError(
            f"the rule none_of_these of {name} reads feature {last}, and its last dense layer has "
            f"only {width} features, from 0 on; make the rule again for this network, or leave it "
            "out"
        )


def _range_beside(declared: Declared) -> tuple[float, float]:
    """Return the range in which means and deviations were measured, judged by their size."""
    numbers = (*(declared.mean or ()), *(declared.std or ()))
    return (0.0, 255.0) if numbers and max(map(abs, numbers)) > 2 else (0.0, 1.0)  # noqa: PLR2004


def _agree(what: str, shown: int | None, declared: int | None, name: str) -> int:
    if shown is None and declared is None:
        raise BadInputError(f"{name} takes images of any {what}; choose one with --input-size")
    if shown is not None and declared is not None and shown != declared:
        raise BadInputError(
            f"{name} takes images of {what} {shown}, not {declared}; leave --input-size out"
        )
    size = shown if shown is not None else declared or 0
    if not 0 < size <= MAX_SIDE:
        raise BadInputError(
            f"{name} takes images of {what} {size}, but this tool supports 1 to {MAX_SIDE} pixels; "
            "export it for smaller images"
        )
    return size
