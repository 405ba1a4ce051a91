"""Turns a TFLite file into a SavedModel that computes with float32.

The graph is rebuilt operator by operator (:mod:`toolchain.formats.tflite_operators`), for one
photo, and compared with TFLite's own interpreter before it counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import open_batch, tflite_check, tflite_file, tflite_metadata
from toolchain.formats.format import NOTHING_NAMED, Format, Named, UnsupportedError
from toolchain.formats.tflite_file import WAY_OUT
from toolchain.formats.tflite_network import Network
from toolchain.labels import imagenet
from toolchain.records.card import MAX_SIDE, Declared
from toolchain.text import brief, printable

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.formats.tflite_file import LiteGraph, Tensor

SUFFIXES = (".tflite",)
_RANK = len("nhwc")
_COLOURS = (3, 1)
_SHOWN = 12  # names in a message


def export(
    path: Path, saved_model: Path, *, trusted: bool = False, named: Named = NOTHING_NAMED
) -> Declared:
    """Write a TFLite classifier as a SavedModel, with weights and results as float32.

    Args:
        path: The file.
        saved_model: The folder to write; it must not exist.
        trusted: Not used; code of other tools in such a file is refused.
        named: The tensors that are its input and its output, and the size of its photos, where
            the file leaves that open.

    Returns:
        The labels and the range of pixel values that the file tells.

    Raises:
        BadInputError: It is not TFLite, is damaged, has another input than one image, computes
            what is not read, or TFLite's interpreter computes something else.
    """
    del trusted
    try:
        with tensorflow.quiet():
            return _write(path, tflite_file.parsed(path), saved_model, named)
    except UnsupportedError as error:
        raise BadInputError(f"{path} holds {error}, which is not read; {WAY_OUT}") from error
    except BadInputError:
        raise
    except Exception as error:
        # TensorFlow reports shapes that do not fit in many ways; all mean a faulty file.
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInputError(f"{path} cannot be read: {printable(said)}; {WAY_OUT}") from error


def _write(path: Path, graph: LiteGraph, saved_model: Path, named: Named) -> Declared:
    tf = tensorflow.load()
    outputs = _outputs(path, graph, named)
    network = Network(graph, list(outputs.values()))
    called, photo = _photo(path, graph, network, named)
    shape = _shape(path, photo, named)
    kind = "uint8" if photo.kind == "UINT8" and photo.steps is None else "float32"
    results = [f"output_{at}" for at in range(len(outputs))]

    def serve(image: Any) -> list[Any]:
        values = network.compute(photo.index, image)
        return [
            tf.identity(values[at], name=name)
            for at, name in zip(outputs.values(), results, strict=True)
        ]

    image = tf.TensorSpec(shape, kind, name="image")
    traced = tf.function(serve, autograph=False).get_concrete_function(image).graph
    given = dict(zip(outputs, traced.outputs, strict=True))
    graph_def = open_batch.write(traced, called, given, saved_model)
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    found = tflite_metadata.declared(path, graph, photo.index, only)
    span = found.value_range if found.mean is None else None
    photos = tflite_check.photos_for(photo, shape, span)
    names = {at: given[name].name for name, at in outputs.items()}
    written = (graph_def, traced.inputs[0].name, names)
    tflite_check.compare(path, network, photo.index, photos, written)
    classes = {int(each.shape[1]) for each in traced.outputs if each.shape.rank == 2}  # noqa: PLR2004
    if found.labels is None and classes & {imagenet.CLASSES, imagenet.CLASSES + 1}:
        guess = (
            f"{path.name} holds no labels; ImageNet's are taken, a guess by their number: give "
            "--labels FILE if it has others"
        )
        found = found.model_copy(update={"label_notes": (guess,)})
    return found


def _outputs(path: Path, graph: LiteGraph, named: Named) -> dict[str, int]:
    """Return the tensors that may be the scores, by name.

    Raises:
        BadInputError: There is none of the name that the user gives.
    """
    if named.output is None:
        return graph.outputs
    if named.output in graph.outputs:
        return {named.output: graph.outputs[named.output]}
    found = [
        each.index for each in graph.tensors if each.name == named.output and each.bytes is None
    ]
    if not found:
        raise BadInputError(
            f"{path} has no output {brief(named.output)}; name one with --output, such as "
            f"{_listed(graph.outputs)}"
        )
    return {named.output: found[0]}


def _photo(path: Path, graph: LiteGraph, network: Network, named: Named) -> tuple[str, Tensor]:
    """Return the tensor that takes the photo, and its name.

    Raises:
        BadInputError: It cannot be told, or does not take an image.
    """
    needed = {name: at for name, at in graph.inputs.items() if at in network.read}
    if named.input is not None and named.input not in graph.inputs:
        raise BadInputError(
            f"{path} has no input {brief(named.input)}; name one with --input, such as "
            f"{_listed(graph.inputs)}"
        )
    if len(needed) != 1:
        raise BadInputError(
            f"{path} has {len(needed)} inputs that its scores need ({_listed(needed)}); give a "
            "classifier whose only input is one image, or name its scores with --output"
        )
    ((name, at),) = needed.items()
    if named.input not in (None, name):
        raise BadInputError(
            f"{path} has the input {brief(named.input or '')}, but its scores depend on "
            f"{brief(name)}; name that with --input, or other scores with --output"
        )
    return name, graph.tensors[at]


def _shape(path: Path, photo: Tensor, named: Named) -> tuple[int, ...]:
    """Return the shape of the input for one photo.

    Raises:
        BadInputError: It does not take one image of numbers.
    """
    of_images = len(photo.shape) == _RANK
    last = of_images and photo.shape[3] in _COLOURS
    if not of_images or not (last or photo.shape[1] in _COLOURS) or not _is_read(photo):
        raise BadInputError(
            f"{path} has an input {brief(photo.name)} of {photo.kind} {list(photo.shape)}, and not "
            f"an image of floats or bytes [1, height, width, 3]; {WAY_OUT}"
        )
    shape = list(photo.shape)
    if shape[0] != 1 and not photo.is_open[0]:
        raise BadInputError(f"{path} takes {shape[0]} images at once; convert the model for one")
    shape[0] = 1
    for at, side in zip((1, 2) if last else (2, 3), named.size or (0, 0), strict=True):
        shape[at] = (side or 0) if photo.is_open[at] else shape[at]
        if not 0 < shape[at] <= MAX_SIDE:
            raise BadInputError(
                f"{path} does not say how large its images are; give the size with --input-size"
            )
    return tuple(shape)


def _is_read(photo: Tensor) -> bool:
    has_steps = photo.steps is not None
    return photo.kind in ("FLOAT32", "UINT8") or (photo.kind in ("INT8", "INT16") and has_steps)


def _listed(names: dict[str, int]) -> str:
    return ", ".join(brief(name) for name in list(names)[:_SHOWN]) or "none"


FORMAT = Format(
    named="TFLite files",
    suffixes=SUFFIXES,
    recognises=lambda path: (
        path.is_file() and (path.name.endswith(SUFFIXES) or tflite_file.is_one(path))
    ),
    read=export,
)
