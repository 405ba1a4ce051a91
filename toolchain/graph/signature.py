"""Reads how a SavedModel is called, and settles with what was declared into its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain import imagenet
from toolchain import tf as tensorflow
from toolchain.card import CROP_FRACTION, MAX_SIDE, Declared, InputSpec, ModelCard, Provenance
from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

_PREFERRED = "serving_default"
_RGB = 3


@dataclass(frozen=True)
class Signature:
    """How the classifier in a SavedModel is called: one image batch in, one row of scores out."""

    key: str
    """Name of the signature in the SavedModel."""
    input: str
    """Name of the float32 input `[n, height, width, 3]`."""
    output: str
    """Name of the float32 output `[n, classes]`."""
    height: int | None
    """None where the model takes any."""
    width: int | None
    classes: int | None


def read(path: Path) -> tuple[Signature, Any]:
    """Load a SavedModel and find the signature that classifies images.

    Returns:
        The signature, and TensorFlow's loaded object (keep it while the graph is used).

    Raises:
        BadInputError: It cannot be loaded, or no signature takes one float32 RGB image
            batch and gives one score row.
    """
    tf = tensorflow.load()
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        # The loader raises most of Python's and TensorFlow's exceptions for broken files.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise BadInputError(f"{path} cannot be loaded as a SavedModel: {reason[0]}") from error
    signatures = dict(loaded.signatures)
    if not signatures:
        raise BadInputError(
            f"{path} has no signature to call; save the model with one, for instance by "
            "Keras' `model.export(path)`"
        )
    key = _PREFERRED if _PREFERRED in signatures else next(iter(signatures))
    if key != _PREFERRED and len(signatures) > 1:
        raise BadInputError(
            f"{path} has the signatures {', '.join(sorted(signatures))} and none is "
            f"{_PREFERRED}; save the one that classifies under that name"
        )
    return _check(path, key, signatures[key], tf), loaded


def _check(path: Path, key: str, function: Any, tf: Any) -> Signature:
    inputs: dict[str, Any] = function.structured_input_signature[1]
    outputs: dict[str, Any] = function.structured_outputs
    what = f"{path}, signature {key}"
    if len(inputs) != 1:
        raise BadInputError(
            f"{what}, takes {len(inputs)} inputs ({', '.join(inputs) or 'none'}); "
            "an image classifier takes one, the photo"
        )
    if len(outputs) != 1:
        raise BadInputError(
            f"{what}, gives {len(outputs)} outputs ({', '.join(outputs) or 'none'}); "
            "an image classifier gives one, the scores"
        )
    (name, image), (output, scores) = *inputs.items(), *outputs.items()
    if image.dtype != tf.float32:
        raise BadInputError(
            f"{what}, takes {image.dtype.name} in {name}; only float32 images can be fed"
        )
    shape = image.shape.as_list() if image.shape.rank is not None else None
    if shape is None or len(shape) != len("nhwc"):
        rank = "unknown rank" if shape is None else f"rank {len(shape)}"
        raise BadInputError(
            f"{what}, takes {name} of {rank}; an image batch has rank 4: [n, height, width, 3]"
        )
    if shape[-1] != _RGB:
        raise BadInputError(
            f"{what}, takes {name} with {shape[-1]} channels; photos have 3 (RGB, channels last)"
        )
    if shape[0] not in (None, 1):
        raise BadInputError(
            f"{what}, takes batches of exactly {shape[0]}; the page gives one photo at a time"
        )
    if scores.dtype != tf.float32:
        raise BadInputError(
            f"{what}, gives {scores.dtype.name} in {output}; a classifier gives float32 scores"
        )
    row = scores.shape.as_list() if scores.shape.rank is not None else None
    if row is not None and len(row) != len("nc"):
        raise BadInputError(
            f"{what}, gives {output} of rank {len(row)}; a classifier gives [n, classes]"
        )
    return Signature(key, name, output, shape[1], shape[2], row[1] if row else None)


@dataclass(frozen=True)
class Assumption:
    """Something the card says that nobody declared."""

    sentence: str


def settle(
    signature: Signature, declared: Declared, *, name: str, source: str, sha256: str
) -> tuple[ModelCard, tuple[Assumption, ...]]:
    """Join what the graph shows with what was declared into the model's card.

    A value range that nobody declared is taken as 0…1, TF Hub's convention for images.
    Labels that nobody declared are ImageNet's for 1,000 and 1,001 outputs.

    Raises:
        BadInputError: The two contradict each other, or leave a size or the labels open.
    """
    assumed: list[Assumption] = []
    height = _agree("height", signature.height, declared.height, name)
    width = _agree("width", signature.width, declared.width, name)
    value_range = declared.value_range
    if value_range is None:
        value_range = (0.0, 1.0)
        assumed.append(
            Assumption(
                "no value range was declared: pixels are fed as 0…1, TF Hub's convention; "
                "--value-range says otherwise"
            )
        )
    labels, offset = _labels(signature.classes, declared, name)
    assumed += [Assumption(note) for note in declared.label_notes or ()]
    card = ModelCard(
        provenance=Provenance(
            name=declared.name or name,
            source=source,
            licence=declared.licence or "not stated",
            sha256=sha256,
        ),
        input=InputSpec(
            height=height,
            width=width,
            value_range=value_range,
            crop_fraction=declared.crop_fraction or CROP_FRACTION,
        ),
        label_offset=offset,
        labels=labels,
    )
    return card, tuple(assumed)


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


def _labels(classes: int | None, declared: Declared, name: str) -> tuple[tuple[str, ...], int]:
    labels, offset = declared.labels, declared.label_offset
    if labels is None:
        if classes not in (imagenet.CLASSES, imagenet.CLASSES + 1):
            raise BadInputError(
                f"{name} gives {classes or 'an unknown number of'} classes and nothing says what "
                "they are; give their names with --labels FILE, one a line"
            )
        labels = imagenet.labels()
    if classes is None:
        return labels, offset or 0
    if offset is None:
        # One output more than labels is TF Hub's "background", before all others.
        offset = 1 if classes == len(labels) + 1 else 0
    if offset + len(labels) != classes:
        skipped = f" after {offset} skipped" if offset else ""
        raise BadInputError(
            f"{name} gives {classes} classes but there are {len(labels)} labels{skipped}; "
            "give one label for each class with --labels FILE"
        )
    return labels, offset
