"""Reads a SavedModel as a classifier of photos: the graph to convert, and the model's card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph import ending as endings
from toolchain.graph import faults, features, image_network, layout, pixel_range, settling
from toolchain.graph.running import probe_pictures
from toolchain.metrics.scores import scores_of
from toolchain.records.card import Provenance

if TYPE_CHECKING:
    from toolchain.graph.ending import Ending
    from toolchain.graph.frozen import Frozen
    from toolchain.graph.signature import Signature
    from toolchain.records.card import Declared, ModelCard, PixelRange
    from toolchain.sources.saved_model import Fetched

    Array = np.ndarray[Any, Any]

_PROBES = 2  # pictures for each plausible range
# Scores may differ by so much from call to call; another order of sums makes a smaller difference.
_UNSTABLE = 1e-4


@dataclass(frozen=True)
class Classifier:
    """What is known about a model after its graph was read and run."""

    card: ModelCard
    assumptions: tuple[str, ...]
    """Sentences for the user: what was not declared and had to be assumed."""
    signature: Signature
    loaded: Any
    """TensorFlow's loaded object; its functions work only while it exists."""
    source: Frozen
    """The source's graph, without variables."""
    converted: Frozen
    """The graph to convert: without a trailing activation, and with an output for each label."""
    ending: Ending


def read(fetched: Fetched, *, ask: bool = True) -> Classifier:
    """Load a model, and find out what input it takes and how to read its outputs.

    Args:
        fetched: A SavedModel that passed the check of `sources/operations.py`, and what was
            declared about it.
        ask: Whether to refuse a model of unknown range.

    Raises:
        BadInputError: It is not an image classifier, contradicts what was declared, or gives
            different answers to the same photo.
        UnknownRangeError: Nothing tells which pixel values it was trained on.
    """
    declared, name = fetched.declared, fetched.source
    network = image_network.read(fetched, ask=ask)
    found, loaded, whole = network.signature, network.loaded, network.frozen
    pixels = network.pixels
    probe = _probe(network.input.height, network.input.width)
    outputs = _source_outputs(loaded, found, probe, name)
    cut, ending = endings.settle(whole, declared, outputs.shape[1], probe, name)
    classes = 2 if ending.is_binary else outputs.shape[1]
    labels, offset, note = settling.labels_of(classes, declared, name)
    if (rule := declared.none_of_these) is not None:
        settling.check_rule(rule, len(labels), features.width_in(cut, probe[:1]), name)
    provenance = Provenance(
        name=declared.name or name,
        source=fetched.source,
        licence=declared.licence or "not stated",
        sha256=fetched.sha256,
    )
    card = settling.card_of(
        labels=labels,
        offset=offset,
        spec=network.input,
        pixels=pixels,
        ending=ending,
        declared=declared,
        provenance=provenance,
    )
    said = (
        *found.notes,
        _range_sentence(pixels),
        _task_sentence(ending, card, declared),
        note,
        *(declared.label_notes or ()),
        *(declared.notes or ()),
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
    """Return the source model's scores for images, from its own signature.

    Args:
        classifier: The model.
        images: Input tensors, float32 `[n, height, width, 3]`.

    Returns:
        Scores in 0…1, float64 `[n, classes]`, including those before the first label.
    """
    name = classifier.card.provenance.source
    outputs = _source_outputs(classifier.loaded, classifier.signature, images, name)
    return read_outputs(outputs, classifier.ending)


def read_outputs(outputs: Array, ending: Ending) -> Array:
    """Return the scores for a source model's outputs, float64 `[n, classes]`.

    Args:
        outputs: Float `[n, classes]`, or `[n, 1]` for a binary model.
        ending: How to read them.
    """
    if ending.is_binary:
        return scores_of(endings.of_two(outputs, ending.source), ending.source)
    return scores_of(outputs, ending.source)


def call(loaded: Any, found: Signature, images: Array) -> Array:
    """Return a signature's output for a batch of images, float32 `[n, classes]`.

    Args:
        loaded: TensorFlow's loaded object.
        found: Its signature.
        images: float32 `[n, height, width, 3]`; rounded if the model takes bytes.
    """
    tf = tensorflow.load()
    images = layout.fed(images, found.layout)
    fed = tf.constant(np.rint(images).clip(0, 255) if found.dtype == "uint8" else images)
    outputs = loaded.signatures[found.key](**{found.input: tf.cast(fed, found.dtype)})
    given: Array = tf.cast(outputs[found.output], tf.float32).numpy()
    return given


def _probe(height: int, width: int) -> Array:
    pictures = probe_pictures(height, width, count=_PROBES) / 255
    ranges = pixel_range.PLAUSIBLE
    fed: Array = np.concatenate([low + pictures * (high - low) for low, high in ranges])
    return fed.astype(np.float32)


def _source_outputs(loaded: Any, found: Signature, images: Array, name: str) -> Array:
    """Return the outputs, running the model on one image at a time, float32 `[n, classes]`.

    Raises:
        BadInputError: The model fails, does not return a row of scores, or gives different
            answers to the same image.
    """
    with faults.of_model(name):
        rows = [call(loaded, found, image[None]) for image in images]
        again = call(loaded, found, images[:1])
    outputs = np.concatenate(rows)
    if outputs.ndim != len("nc") or 0 in outputs.shape:
        raise BadInputError(
            f"{name} returns outputs of shape {list(rows[0].shape)} for one photo; a classifier "
            "returns [1, classes]"
        )
    if np.abs(outputs[:1] - again).max() > _UNSTABLE * max(1.0, float(np.abs(again).max())):
        raise BadInputError(
            f"{name} returns different scores for the same photo: it was exported in training "
            "mode; export it with training=False, or build from the Keras file itself"
        )
    return outputs


def _range_sentence(pixels: PixelRange) -> str | None:
    if pixels.source != "guessed":
        return None
    low, high = pixels.value_range
    more = " minus a mean" if any(pixels.mean) else ""
    order = " as BGR" if pixels.channels == "bgr" else ""
    return (
        f"the pixel values are a guess: {low:g}…{high:g}{more}{order}, because "
        f"{pixels.reason}; override it with --value-range, --mean, --std and --channels"
    )


def _task_sentence(ending: Ending, card: ModelCard, declared: Declared) -> str | None:
    if ending.is_binary:
        return (
            f"its one output is taken as the score of the second label, {card.labels[1]}; "
            f"swap the labels if it is the score of {card.labels[0]}"
        )
    if ending.task == "multi-label" and declared.task is None:
        return (
            "its labels do not exclude each other, so every label over "
            f"{card.threshold:.0%} is shown; --task single-label shows the best ones instead"
        )
    return None
