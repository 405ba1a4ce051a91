"""Settles a classifier's card: what its graph shows, joined with what was declared."""

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


class UnknownRangeError(BadInputError):
    """Nothing says which pixel values a model was trained on."""


def size_of(signature: Signature, declared: Declared, name: str) -> tuple[int, int]:
    """Return height and width of the network's input.

    Raises:
        BadInputError: The graph and what was declared contradict each other, or leave it open.
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
    """Return which pixel values the network wants: as declared, as the graph shows, or a guess.

    Args:
        shown: What the graph shows, or its family's name lets guess.
        guesses: What labelled photos have shown, and what its source lets expect.
        declared: What somebody said; where it speaks of means or channels alone, the range is
            0…1 if means are small, else 0…255.
        name: What to call the model in messages.

    Raises:
        BadInputError: Something else is declared of a model that takes bytes.
        UnknownRangeError: Nothing says it.
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
        f"nothing says which pixel values {name} was trained on; say it with --value-range=0,1, "
        "-1,1 or 0,255, and --mean, --std or --channels where it needs them, or give labelled "
        "photos with --evaluation, by which the best of them is found"
    )


def card_of(
    *,
    labels: tuple[str, ...],
    offset: int,
    size: tuple[int, int],
    pixels: PixelRange,
    ending: Ending,
    declared: Declared,
    provenance: Provenance,
) -> ModelCard:
    """Put a card together of what was settled."""
    return ModelCard(
        provenance=provenance,
        input=InputSpec(
            height=size[0],
            width=size[1],
            value_range=pixels.value_range,
            crop_fraction=declared.crop_fraction or CROP_FRACTION,
            mean=pixels.mean,
            std=pixels.std,
            channels=pixels.channels,
        ),
        label_offset=offset,
        labels=labels,
        task=ending.task,
        threshold=declared.threshold or THRESHOLD,
        range_source=pixels.source,
        range_reason=pixels.reason,
    )


def labels_of(
    classes: int | None, declared: Declared, name: str
) -> tuple[tuple[str, ...], int, str | None]:
    """Return the labels, how many outputs come before the first, and what to say of them.

    Labels that nobody declared are ImageNet's for 1,000 and 1,001 outputs.

    Raises:
        BadInputError: Their count does not fit, or nothing says what they are.
    """
    labels, offset = declared.labels, declared.label_offset
    if labels is None:
        if classes not in (imagenet.CLASSES, imagenet.CLASSES + 1):
            raise BadInputError(
                f"{name} gives {classes or 'an unknown number of'} classes and nothing says what "
                "they are; give their names with --labels FILE, one a line"
            )
        labels = imagenet.labels()
    return label_files.fit(labels, offset, classes, name)


def _range_beside(declared: Declared) -> tuple[float, float]:
    """Return the range that means and deviations were measured in, by their size."""
    numbers = (*(declared.mean or ()), *(declared.std or ()))
    return (0.0, 255.0) if numbers and max(map(abs, numbers)) > 2 else (0.0, 1.0)  # noqa: PLR2004


def _agree(what: str, shown: int | None, declared: int | None, name: str) -> int:
    if shown is None and declared is None:
        raise BadInputError(
            f"{name} takes images of any {what}; say which to use with --input-size"
        )
    if shown is not None and declared is not None and shown != declared:
        raise BadInputError(
            f"{name} takes images of {what} {shown}, not {declared}; leave --input-size out"
        )
    size = shown if shown is not None else declared or 0
    if not 0 < size <= MAX_SIDE:
        raise BadInputError(
            f"{name} takes images of {what} {size}, and this tool feeds 1 to {MAX_SIDE} pixels; "
            "export it for smaller ones"
        )
    return size
