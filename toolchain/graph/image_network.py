"""Reads a SavedModel as a network of photos: its graph, and which pixel values it takes.

Nothing is known yet of its outputs, so it may be a classifier or a network of features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.errors import BadInputError
from toolchain.graph import einsum, features, padding, pixel_range, settling, signature
from toolchain.graph import frozen as freezing
from toolchain.graph.running import function_of, function_to
from toolchain.records.card import PixelRange

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from toolchain.graph.frozen import Frozen
    from toolchain.graph.signature import Signature
    from toolchain.records.card import InputSpec
    from toolchain.sources.saved_model import Fetched

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ImageNetwork:
    """A network that takes one photo."""

    signature: Signature
    loaded: Any
    """TensorFlow's loaded object; its functions work only while it exists."""
    frozen: Frozen
    """Its graph, without variables, for images of this size."""
    input: InputSpec
    pixels: PixelRange
    """Which pixel values it takes, and how that is known."""


def read(fetched: Fetched, *, ask: bool = True) -> ImageNetwork:
    """Load a model, freeze its graph, and find out what input it takes.

    Args:
        fetched: A SavedModel that passed the check of `sources/operations.py`, and what was
            declared about it.
        ask: Whether to refuse a model of unknown range.

    Raises:
        BadInputError: It does not take one photo, or contradicts what was declared.
        UnknownRangeError: Nothing tells which pixel values it was trained on.
    """
    declared, name = fetched.declared, fetched.source
    found, loaded = signature.read(fetched.path, name, declared)
    height, width = settling.size_of(found, declared, name)
    whole = _frozen(loaded, found, height, width, name)
    shown = pixel_range.of(whole, height, width, takes_bytes=found.dtype == "uint8")
    try:
        pixels = settling.range_of(shown, _guesses(fetched, found), declared, name)
    except settling.UnknownRangeError:
        if ask:
            raise
        pixels = PixelRange(value_range=(0.0, 1.0), source="unknown", reason="nothing tells it")
    if found.layout.is_grey:
        _expect_equal_colours(pixels, name)
    spec = settling.input_of((height, width), pixels, declared)
    return ImageNetwork(found, loaded, whole, spec, pixels)


def _expect_equal_colours(pixels: PixelRange, name: str) -> None:
    """Check that a grey network's declarations treat red, green and blue alike.

    Raises:
        BadInputError: They do not, so the grey that the model wants is not known.
    """
    if pixels.channels == "rgb" and len({*pixels.mean}) == len({*pixels.std}) == 1:
        return
    raise BadInputError(
        f"{name} takes grey images, so it cannot have an order of colours, nor another mean or "
        "deviation for each; declare --mean and --std with three equal numbers, and leave out "
        "--channels"
    )


def with_features(
    loaded: Any, found: Signature, spec: InputSpec, name: str
) -> Callable[[Array], tuple[Array, Array]]:
    """Return a source model as a function that returns the features of the images too.

    It runs the frozen graph, because a signature does not return features.

    Args:
        loaded: TensorFlow's loaded object.
        found: Its signature.
        spec: The input, for its size.
        name: How messages name the model.

    Returns:
        A function from images, float32 `[n, height, width, 3]`, to the outputs, float32
        `[n, classes]`, and the input of the last dense layer, float32 `[n, width]`.

    Raises:
        BadInputError: The graph cannot be frozen, or has no single last dense layer.
    """
    whole = _frozen(loaded, found, spec.height, spec.width, name)
    if (node := features.name_in(whole)) is None:
        raise BadInputError(
            f"{name} has no single last dense layer, so its rule none_of_these cannot be applied; "
            "leave it out"
        )
    run = function_to(whole.graph_def, whole.input, (whole.output, node))

    def both(images: Array) -> tuple[Array, Array]:
        outputs, seen = run(images)
        return outputs, features.rows(seen)

    return both


def _frozen(loaded: Any, found: Signature, height: int, width: int, name: str) -> Frozen:
    """Return a signature's graph without variables, for one size, of operations TF.js has."""
    whole = freezing.freeze(loaded, found, name)
    freezing.settle_size(whole, height, width)
    _expect_to_fit(whole, height, width, name)
    einsum.rewrite(whole.graph_def)
    padding.write_out(whole.graph_def)
    return whole


def _expect_to_fit(whole: Frozen, height: int, width: int, name: str) -> None:
    """Check that every operation can handle images of this size.

    Raises:
        BadInputError: One cannot.
    """
    try:
        function_of(whole.graph_def, whole.input, whole.output)
    except ValueError as error:
        raise BadInputError(
            f"{name} cannot take images of {height}×{width} "
            f"({str(error).splitlines()[0].rstrip('.')}); choose another --input-size"
        ) from error


def _guesses(fetched: Fetched, found: Signature) -> tuple[PixelRange | None, PixelRange | None]:
    """Return the guesses of the range: by labelled photos, and by the model's source."""
    return fetched.range_found, fetched.range_guess or _by_names(found)


def _by_names(found: Signature) -> PixelRange | None:
    if (found.input, found.output) == ("inputs", "logits"):
        return PixelRange(
            value_range=(0.0, 1.0),
            source="guessed",
            reason="its signature has the names of TF Hub's image models, which take 0…1",
        )
    return None
