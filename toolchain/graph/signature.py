"""Finds the signature of a SavedModel that takes a photo and returns scores.

The user may name the signature, its input and its output. Else the only usable one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph import layout as layouts
from toolchain.records.card import Declared

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.graph.layout import Layout, Sides

_PREFERRED = "serving_default"
_FED = frozenset({"float32", "float16", "bfloat16", "float64", "uint8"})
_GIVEN = frozenset({"float32", "float16", "bfloat16", "float64"})


@dataclass(frozen=True)
class Signature:
    """How to call the classifier in a SavedModel: one image batch in, one row of scores out."""

    key: str
    """Name of the signature in the SavedModel."""
    input: str
    """Name of the input, which takes images in the `layout`."""
    output: str
    """Name of the output `[n, classes]`, of floats."""
    height: int | None
    """None if the model takes any height."""
    width: int | None
    classes: int | None
    dtype: str = "float32"
    """Dtype of the input: a float type, or `uint8`."""
    layout: Layout = layouts.RGB
    """How the input takes a photo."""
    notes: tuple[str, ...] = ()
    """Sentences that tell what was chosen, and what of the others could be meant."""


def read(
    path: Path, name: str | None = None, declared: Declared | None = None
) -> tuple[Signature, Any]:
    """Load a SavedModel and find the signature that classifies images.

    Args:
        path: The SavedModel's folder.
        name: How messages name the model; None for its path.
        declared: What is declared of it: names of signature, input and output, and labels, whose
            count tells which of several outputs has the scores.

    Returns:
        The signature, and TensorFlow's loaded object (keep it while the graph is used).

    Raises:
        BadInputError: It cannot be loaded, or no signature takes one image and returns one row of
            scores, or several do.
    """
    name, declared = name or str(path), declared or Declared()
    loaded = load(path, name)
    signatures = dict(loaded.signatures)
    if not signatures:
        raise BadInputError(
            f"{name} has no signature to call; save the model with one, for instance with "
            "Keras' `model.export(path)`"
        )
    if (wanted := declared.signature) is not None:
        return _check(name, wanted, _named(name, signatures, wanted), declared), loaded
    return _only(name, signatures, declared), loaded


def require(path: Path, name: str, declared: Declared) -> None:
    """Check that a SavedModel has the signature, the input and the output that are named.

    Args:
        path: The SavedModel's folder.
        name: How messages name the model.
        declared: The names.

    Raises:
        BadInputError: It cannot be loaded, or has no part of one of the names.
    """
    signatures = dict(load(path, name).signatures)
    if (key := declared.signature) is not None:
        signatures = {key: _named(name, signatures, key)}
    sides: tuple[tuple[str, str | None, Any], ...] = (
        ("input", declared.input, lambda each: each.structured_input_signature[1]),
        ("output", declared.output, lambda each: each.structured_outputs),
    )
    for side, wanted, of in sides:
        names = {each for function in signatures.values() for each in of(function)}
        if wanted is not None and _known(wanted, names) not in names:
            raise BadInputError(
                f"{name} has no {side} {wanted}; it has {_listed(names)}; name one with --{side}"
            )


def _named(model: str, signatures: dict[str, Any], wanted: str) -> Any:
    """Return the signature of a name.

    Raises:
        BadInputError: There is none.
    """
    if wanted not in signatures:
        raise BadInputError(
            f"{model} has no signature {wanted}; it has {_listed(signatures)}; "
            "name one with --signature"
        )
    return signatures[wanted]


def load(path: Path, name: str) -> Any:
    """Load a SavedModel.

    Args:
        path: Its folder.
        name: How messages name it.

    Raises:
        BadInputError: It cannot be loaded.
    """
    tf = tensorflow.load()
    try:
        return tf.saved_model.load(str(path))
    except Exception as error:
        # The loader raises most of Python's and TensorFlow's exceptions for broken files.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise BadInputError(
            f"{name} cannot be loaded as a SavedModel: {reason[0].rstrip('.')}; save the model "
            "again, for instance with Keras' `model.export(path)`"
        ) from error


def _only(model: str, signatures: dict[str, Any], declared: Declared) -> Signature:
    """Return the only usable signature; of several, the one that is called by default."""
    usable, faults = {}, {}
    for key, function in signatures.items():
        try:
            usable[key] = _check(model, key, function, declared)
        except BadInputError as error:
            faults[key] = error
    if not usable:
        if _PREFERRED in faults or len(faults) == 1:
            raise faults.get(_PREFERRED) or next(iter(faults.values()))
        raise BadInputError(
            f"{model} has the signatures {_listed(signatures)}, and none takes a photo and returns "
            f"scores ({faults[min(faults)]}); save one that does, or name one with --signature"
        )
    if _PREFERRED in usable:
        return usable[_PREFERRED]
    if len(usable) > 1:
        raise BadInputError(
            f"{model} has the signatures {_listed(usable)}, which all take a photo and return "
            "scores; name the one that classifies with --signature"
        )
    ((key, found),) = usable.items()
    if len(signatures) == 1:
        return found
    note = (
        f"its signature {key} is used, the only one of {_listed(signatures)} that takes a photo "
        "and returns scores; --signature names another"
    )
    return replace(found, notes=(*found.notes, note))


def _check(model: str, key: str, function: Any, declared: Declared) -> Signature:
    """Return a signature if it takes a photo and returns scores.

    Raises:
        BadInputError: It does not.
    """
    inputs: dict[str, Any] = function.structured_input_signature[1]
    outputs: dict[str, Any] = function.structured_outputs
    what = f"{model}, signature {key}"
    name, sides = _input(what, inputs, _known(declared.input, inputs))
    output, note = _output(what, outputs, declared)
    row = outputs[output].shape
    found = Signature(
        key,
        name,
        output,
        sides.height,
        sides.width,
        row.as_list()[1] if row.rank is not None else None,
        inputs[name].dtype.name,
        sides.layout,
    )
    said = (sides.layout.sentence, note)
    return replace(found, notes=tuple(each for each in said if each))


def _input(what: str, inputs: dict[str, Any], wanted: str | None) -> tuple[str, Sides]:
    if wanted is not None and wanted not in inputs:
        raise BadInputError(
            f"{what}, has no input {wanted}; it has {_listed(inputs)}; name one with --input, or "
            "another --signature"
        )
    if len(inputs) != 1:
        raise BadInputError(
            f"{what}, takes {len(inputs)} inputs ({', '.join(inputs) or 'none'}); an image "
            "classifier takes one, the photo: export a model with this input alone"
        )
    ((name, image),) = inputs.items()
    if image.dtype.name == "string":
        raise BadInputError(
            f"{what}, takes {name} as text, probably the bytes of a JPEG file, which a page cannot "
            "decode in the graph; export a signature that takes floats [n, height, width, 3]"
        )
    if image.dtype.name not in _FED:
        raise BadInputError(
            f"{what}, takes {image.dtype.name} in {name}; only images of floats or of bytes "
            "(uint8) are supported: export a signature that takes float32"
        )
    shape = image.shape.as_list() if image.shape.rank is not None else None
    if shape is None or len(shape) != len("nhwc"):
        rank = "unknown rank" if shape is None else f"rank {len(shape)}"
        raise BadInputError(
            f"{what}, takes {name} of {rank}; an image batch has rank 4: export it with an input "
            "[n, height, width, 3]"
        )
    if (sides := layouts.of(shape)) is None:
        raise BadInputError(
            f"{what}, takes {name} of shape {_form(shape)}; photos have 3 channels (RGB) or 1 "
            "(grey), last or first: export it with an input [n, height, width, 3]"
        )
    if sides.batch not in (None, 1):
        raise BadInputError(
            f"{what}, takes batches of exactly {sides.batch}; the page passes one photo at a "
            "time: export it with an open batch size (None)"
        )
    return name, sides


def _output(what: str, outputs: dict[str, Any], declared: Declared) -> tuple[str, str | None]:
    """Return the output with the scores, and a sentence on why it is that one of several."""
    if (wanted := _known(declared.output, outputs)) is not None:
        if wanted not in outputs:
            raise BadInputError(
                f"{what}, has no output {wanted}; it has {_listed(outputs)}; name one with --output"
            )
        if fault := _row_fault(wanted, outputs[wanted]):
            raise BadInputError(f"{what}, returns {fault}; name another with --output")
        return wanted, None
    if len(outputs) == 1:
        ((name, scores),) = outputs.items()
        if fault := _row_fault(name, scores):
            raise BadInputError(f"{what}, returns {fault}; export it with its scores as the output")
        return name, None
    rows = {name: each for name, each in outputs.items() if _row_fault(name, each) is None}
    if not rows:
        raise BadInputError(
            f"{what}, returns {len(outputs)} outputs ({_listed(outputs)}), and none is a row of "
            "scores, floats [n, classes]; export it with its scores as an output"
        )
    because = "the only one that is a row of floats"
    if len(rows) > 1 and declared.labels:
        count = len(declared.labels) + (declared.label_offset or 0)
        fitting = {name: each for name, each in rows.items() if _width(each) == count}
        if len(fitting) == 1:
            rows, because = fitting, f"the only one with {count} classes"
    if len(rows) > 1:
        listed = ", ".join(f"{name} {_form(rows[name].shape)}" for name in sorted(rows))
        raise BadInputError(
            f"{what}, returns {len(outputs)} outputs, and several may be the scores ({listed}); "
            "name the one with the scores with --output, or give as many --labels as it has classes"
        )
    (name,) = rows
    return name, (
        f"its output {name} is taken as the scores, {because} of {_listed(outputs)}; --output "
        "names another"
    )


def _known(wanted: str | None, names: Any) -> str | None:
    """Return a name that the user gives; TensorFlow's `Mul:0` is the first result of `Mul`."""
    if wanted is None or wanted in names:
        return wanted
    first = wanted.removesuffix(":0")
    return first if first in names else wanted


def _width(scores: Any) -> int | None:
    return None if scores.shape.rank is None else scores.shape.as_list()[1]


def _row_fault(name: str, scores: Any) -> str | None:
    """Return why an output is no row of scores, as a clause, or None."""
    if scores.dtype.name not in _GIVEN:
        return f"{scores.dtype.name} in {name}, but a classifier returns scores, as floats"
    if scores.shape.rank not in (None, len("nc")):
        return f"{name} of rank {scores.shape.rank}, but a classifier returns [n, classes]"
    return None


def _form(shape: Any) -> str:
    """Return a shape as messages show it, such as `[n, 3, 32, 32]`."""
    if not isinstance(shape, list):
        if shape.rank is None:
            return "of unknown rank"
        shape = shape.as_list()
    return "[" + ", ".join("n" if side is None else str(side) for side in shape) + "]"


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
