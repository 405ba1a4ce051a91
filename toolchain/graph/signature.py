"""Finds the signature of a SavedModel that takes a photo and returns scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

_PREFERRED = "serving_default"
_RGB = 3
_FED = frozenset({"float32", "float16", "bfloat16", "float64", "uint8"})
_GIVEN = frozenset({"float32", "float16", "bfloat16", "float64"})


@dataclass(frozen=True)
class Signature:
    """How to call the classifier in a SavedModel: one image batch in, one row of scores out."""

    key: str
    """Name of the signature in the SavedModel."""
    input: str
    """Name of the input `[n, height, width, 3]`."""
    output: str
    """Name of the output `[n, classes]`, of floats."""
    height: int | None
    """None if the model takes any height."""
    width: int | None
    classes: int | None
    dtype: str = "float32"
    """Dtype of the input: a float type, or `uint8`."""


def read(path: Path, name: str | None = None) -> tuple[Signature, Any]:
    """Load a SavedModel and find the signature that classifies images.

    Args:
        path: The SavedModel's folder.
        name: How messages name the model; None for its path.

    Returns:
        The signature, and TensorFlow's loaded object (keep it while the graph is used).

    Raises:
        BadInputError: It cannot be loaded, or no signature takes one RGB image batch and
            returns one row of scores.
    """
    tf = tensorflow.load()
    name = name or str(path)
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        # The loader raises most of Python's and TensorFlow's exceptions for broken files.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise BadInputError(f"{name} cannot be loaded as a SavedModel: {reason[0]}") from error
    signatures = dict(loaded.signatures)
    if not signatures:
        raise BadInputError(
            f"{name} has no signature to call; save the model with one, for instance with "
            "Keras' `model.export(path)`"
        )
    key = _PREFERRED if _PREFERRED in signatures else next(iter(signatures))
    if key != _PREFERRED and len(signatures) > 1:
        raise BadInputError(
            f"{name} has the signatures {', '.join(sorted(signatures))}, but none is named "
            f"{_PREFERRED}; save the one that classifies under that name"
        )
    return _check(name, key, signatures[key]), loaded


def _check(model: str, key: str, function: Any) -> Signature:
    inputs: dict[str, Any] = function.structured_input_signature[1]
    outputs: dict[str, Any] = function.structured_outputs
    what = f"{model}, signature {key}"
    if len(inputs) != 1:
        raise BadInputError(
            f"{what}, takes {len(inputs)} inputs ({', '.join(inputs) or 'none'}); "
            "an image classifier takes one, the photo"
        )
    if len(outputs) != 1:
        raise BadInputError(
            f"{what}, returns {len(outputs)} outputs ({', '.join(outputs) or 'none'}); "
            "an image classifier returns one, the scores"
        )
    (name, image), (output, scores) = *inputs.items(), *outputs.items()
    if image.dtype.name not in _FED:
        raise BadInputError(
            f"{what}, takes {image.dtype.name} in {name}; only images of floats or of bytes "
            "(uint8) are supported"
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
            f"{what}, takes batches of exactly {shape[0]}; the page passes one photo at a time"
        )
    if scores.dtype.name not in _GIVEN:
        raise BadInputError(
            f"{what}, returns {scores.dtype.name} in {output}; a classifier returns scores, as "
            "floats"
        )
    row = scores.shape.as_list() if scores.shape.rank is not None else None
    if row is not None and len(row) != len("nc"):
        raise BadInputError(
            f"{what}, returns {output} of rank {len(row)}; a classifier returns [n, classes]"
        )
    classes = row[1] if row else None
    return Signature(key, name, output, shape[1], shape[2], classes, image.dtype.name)
