"""A SavedModel as a classifier of photos: its graph as it is to be converted, and its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph import einsum, faults, padding, pixel_range, settling, signature
from toolchain.graph import ending as endings
from toolchain.graph import frozen as freezing
from toolchain.graph.running import function_of, probe_pictures
from toolchain.metrics.scores import scores_of
from toolchain.records.card import PixelRange, Provenance

if TYPE_CHECKING:
    from toolchain.graph.ending import Ending
    from toolchain.graph.frozen import Frozen
    from toolchain.graph.signature import Signature
    from toolchain.records.card import Declared, ModelCard
    from toolchain.sources.saved_model import Fetched

    Array = np.ndarray[Any, Any]

_PROBES = 2  # pictures, in each plausible range of values
_UNSTABLE = 1e-4  # of scores from call to call; sums in another order differ by less


@dataclass(frozen=True)
class Classifier:
    """What is known of a model once its graph was read and run."""

    card: ModelCard
    assumptions: tuple[str, ...]
    """What nobody declared and the card had to assume, for the user to read."""
    signature: Signature
    loaded: Any
    """TensorFlow's loaded object; kept while its functions are used."""
    source: Frozen
    """The graph as the source has it, without variables."""
    converted: Frozen
    """The graph to convert: without a trailing activation, and with an output for each label."""
    ending: Ending


def read(fetched: Fetched, *, ask: bool = True) -> Classifier:
    """Load a model, and find how it is fed and how its outputs are read.

    Args:
        fetched: A SavedModel that was looked at (`sources/operations.py`), and what was
            declared of it.
        ask: Whether a model of unknown pixel values is refused.

    Raises:
        BadInputError: It is no image classifier, contradicts what was declared, or changes
            its answer from call to call.
        UnknownRangeError: Nothing says which pixel values it was trained on.
    """
    declared, name = fetched.declared, fetched.source
    found, loaded = signature.read(fetched.path, name)
    height, width = settling.size_of(found, declared, name)
    whole = freezing.freeze(loaded, found, name)
    freezing.settle_size(whole, height, width)
    _expect_to_fit(whole, height, width, name)
    einsum.rewrite(whole.graph_def)
    padding.write_out(whole.graph_def)
    shown = pixel_range.of(whole, height, width, takes_bytes=found.dtype == "uint8")
    try:
        pixels = settling.range_of(shown, _guesses(fetched, found), declared, name)
    except settling.UnknownRangeError:
        if ask:
            raise
        pixels = PixelRange(value_range=(0.0, 1.0), source="unknown", reason="nothing says it")
    probe = _probe(height, width)
    outputs = _source_outputs(loaded, found, probe, name)
    cut, ending = endings.settle(whole, declared, outputs.shape[1], probe, name)
    classes = 2 if ending.is_binary else outputs.shape[1]
    labels, offset, note = settling.labels_of(classes, declared, name)
    provenance = Provenance(
        name=declared.name or name,
        source=fetched.source,
        licence=declared.licence or "not stated",
        sha256=fetched.sha256,
    )
    card = settling.card_of(
        labels=labels,
        offset=offset,
        size=(height, width),
        pixels=pixels,
        ending=ending,
        declared=declared,
        provenance=provenance,
    )
    said = (
        _range_sentence(pixels),
        _task_sentence(ending, card, declared),
        note,
        *(declared.label_notes or ()),
    )
    return Classifier(
        card=card,
        assumptions=tuple(sentence for sentence in said if sentence),
        signature=found,
        loaded=loaded,
        source=whole,
        converted=cut,
        ending=ending,
    )


def source_scores(classifier: Classifier, images: Array) -> Array:
    """Return what the source model itself says of images, by its own signature.

    Args:
        classifier: Which model.
        images: float32 `[n, height, width, 3]`, as it is fed.

    Returns:
        float64 `[n, classes]`, scores in 0…1 with those before the first label.
    """
    name = classifier.card.provenance.source
    outputs = _source_outputs(classifier.loaded, classifier.signature, images, name)
    return read_outputs(outputs, classifier.ending)


def read_outputs(outputs: Array, ending: Ending) -> Array:
    """Return the scores that a source's outputs stand for, float64 `[n, classes]`.

    Args:
        outputs: Float `[n, classes]`, or `[n, 1]` of a binary model.
        ending: How they are read.
    """
    if ending.is_binary:
        return scores_of(endings.of_two(outputs, ending.source), ending.source)
    return scores_of(outputs, ending.source)


def call(loaded: Any, found: Signature, images: Array) -> Array:
    """Return a signature's output for a batch of images, float32 `[n, classes]`.

    Args:
        loaded: TensorFlow's loaded object.
        found: Its signature.
        images: float32 `[n, height, width, 3]`; rounded where bytes are wanted.
    """
    tf = tensorflow.load()
    fed = tf.constant(np.rint(images).clip(0, 255) if found.dtype == "uint8" else images)
    outputs = loaded.signatures[found.key](**{found.input: tf.cast(fed, found.dtype)})
    given: Array = tf.cast(outputs[found.output], tf.float32).numpy()
    return given


def _expect_to_fit(whole: Frozen, height: int, width: int, name: str) -> None:
    """See that every operation takes pictures of this size.

    Raises:
        BadInputError: One does not.
    """
    try:
        function_of(whole.graph_def, whole.input, whole.output)
    except ValueError as error:
        raise BadInputError(
            f"{name} cannot take images of {height}×{width} "
            f"({str(error).splitlines()[0].rstrip('.')}); choose another --input-size"
        ) from error


def _guesses(fetched: Fetched, found: Signature) -> tuple[PixelRange | None, PixelRange | None]:
    """Return what photos have shown, and what the model's source lets expect."""
    return fetched.range_found, fetched.range_guess or _by_names(found)


def _by_names(found: Signature) -> PixelRange | None:
    if (found.input, found.output) == ("inputs", "logits"):
        return PixelRange(
            value_range=(0.0, 1.0),
            source="guessed",
            reason="its signature is named as TF Hub's image models are, which take 0…1",
        )
    return None


def _probe(height: int, width: int) -> Array:
    pictures = probe_pictures(height, width, count=_PROBES) / 255
    ranges = pixel_range.PLAUSIBLE
    fed: Array = np.concatenate([low + pictures * (high - low) for low, high in ranges])
    return fed.astype(np.float32)


def _source_outputs(loaded: Any, found: Signature, images: Array, name: str) -> Array:
    """Return the outputs for each image by itself, float32 `[n, classes]`.

    Raises:
        BadInputError: The model fails, gives no row of scores, or changes its answer.
    """
    with faults.of_model(name):
        rows = [call(loaded, found, image[None]) for image in images]
        again = call(loaded, found, images[:1])
    outputs = np.concatenate(rows)
    if outputs.ndim != len("nc") or 0 in outputs.shape:
        raise BadInputError(
            f"{name} gives outputs of shape {list(rows[0].shape)} for one photo; a classifier "
            "gives [1, classes]"
        )
    if np.abs(outputs[:1] - again).max() > _UNSTABLE * max(1.0, float(np.abs(again).max())):
        raise BadInputError(
            f"{name} gives the same photo other scores from call to call: it was exported in "
            "training mode; export it with training=False, or build from the Keras file itself"
        )
    return outputs


def _range_sentence(pixels: PixelRange) -> str | None:
    if pixels.source != "guessed":
        return None
    low, high = pixels.value_range
    more = " less a mean" if any(pixels.mean) else ""
    order = " as BGR" if pixels.channels == "bgr" else ""
    return (
        f"the pixel values are a guess: fed as {low:g}…{high:g}{more}{order}, since "
        f"{pixels.reason}; --value-range, --mean, --std and --channels say otherwise"
    )


def _task_sentence(ending: Ending, card: ModelCard, declared: Declared) -> str | None:
    if ending.is_binary:
        return (
            f"it gives one number for two labels, taken as the score of the second, "
            f"{card.labels[1]}; turn the labels round if it is that of {card.labels[0]}"
        )
    if ending.task == "multi-label" and declared.task is None:
        return (
            "its scores do not exclude each other, so every label over "
            f"{card.threshold:.0%} is shown; --task single-label shows the best ones instead"
        )
    return None
