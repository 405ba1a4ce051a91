"""Turns an ONNX file, as PyTorch exports it, into a SavedModel with channels last.

The graph is translated operator by operator (:mod:`toolchain.formats.onnx_operators`), for one
photo. The package `onnx` only parses the file. What does not depend on the photo is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import (
    exported_settings,
    onnx_file,
    onnx_operators,
    open_batch,
)
from toolchain.formats.format import NOTHING_NAMED, Format, Named, UnsupportedError
from toolchain.formats.onnx_file import EXPORT
from toolchain.formats.onnx_layers import QuantisedError
from toolchain.formats.onnx_value import (
    CHANNELS_LAST,
    Value,
    check_size,
    plain,
)
from toolchain.labels import imagenet
from toolchain.records.card import MAX_SIDE
from toolchain.text import brief, printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from toolchain.records.card import Declared

SUFFIXES = (".onnx",)
_COLOURS = (3, 1)
_BYTE = 2  # TensorProto.DataType: uint8
_FLOATS = (1, 10, 11, 16)  # float, half, double, bfloat16
_TENSOR, _GRAPH = 4, 5  # AttributeProto.AttributeType
_OLDEST = 7  # the version from which operators by element broadcast as NumPy does
_DEEPEST = 8  # branches inside branches
_MOST_KNOWN = 1 << 27  # numbers that are computed here, in all
_SHOWN = 12  # names in a message


def export(
    path: Path, saved_model: Path, *, trusted: bool = False, named: Named = NOTHING_NAMED
) -> Declared:
    """Write an ONNX classifier as a SavedModel that takes photos `[n, height, width, 3]`.

    Args:
        path: The file. A `config.json` or `preprocessor_config.json` beside it is read too.
        saved_model: The folder to write; it must not exist.
        trusted: Not used; such a file cannot hold code.
        named: The tensors that are its input and its output, and the size of its photos, where
            the file leaves that open.

    Returns:
        The labels and the preprocessing that the files beside it declare.

    Raises:
        BadInputError: It is not ONNX, has another input than one image, computes what is not
            translated, or names files outside its folder; or `onnx` is not installed.
    """
    del trusted
    model = onnx_file.parsed(path)
    declared = exported_settings.beside(path)
    try:
        with tensorflow.quiet():
            classes = _write(_inlined(model), path, saved_model, declared, named)
    except QuantisedError as error:
        raise BadInputError(
            f"{path} is quantised; give the float32 model that it was made from, because this "
            "tool quantises the weights itself"
        ) from error
    except UnsupportedError as error:
        raise BadInputError(
            f"{path} holds {error}, which is not translated from ONNX; export the model anew with "
            f"`{EXPORT}`, or as a SavedModel"
        ) from error
    except BadInputError:
        raise
    except Exception as error:
        # TensorFlow reports shapes that do not fit in many ways; all mean a faulty file.
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInputError(
            f"{path} cannot be translated from ONNX: {printable(said)}; export it anew with "
            f"`{EXPORT}`"
        ) from error
    if declared.labels is None and classes & {imagenet.CLASSES, imagenet.CLASSES + 1}:
        guess = (
            f"{path.name} holds no labels; ImageNet's are taken, a guess by their number: give "
            "--labels FILE if it has others"
        )
        declared = declared.model_copy(update={"label_notes": (guess,)})
    return declared


def companions(path: Path) -> tuple[Path, ...]:
    """Return the files beside an ONNX file that belong to it: weights and settings.

    Raises:
        BadInputError: It is not ONNX, or names files outside its folder.
    """
    return (*onnx_file.weight_files(path), *exported_settings.files(path))


def _inlined(model: Any) -> Any:
    """Return a model whose own functions, which newer exporters write, are part of its graph."""
    if not model.functions:
        return model
    from onnx import inliner

    return inliner.inline_local_functions(model)


@dataclass
class _Translation:
    """What is needed to compute operators one after the other."""

    path: Path
    opset: int
    known: int = 0
    """Numbers that were computed here so far."""
    depth: int = 0
    values: dict[str, Value] = field(default_factory=dict)

    def compute_all(self, nodes: Iterable[Any]) -> None:
        for node in nodes:
            self._compute(node)

    def _compute(self, node: Any) -> None:
        """Compute one operator and keep its outputs among the values."""
        if node.domain not in ("", "ai.onnx"):
            raise UnsupportedError(
                f"the operator {brief(node.domain)}.{brief(node.op_type)}, which other tools "
                "than the exporter add (give the file as it was exported, neither optimised nor "
                "quantised)"
            )
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise UnsupportedError(
                f"the operator {brief(node.op_type)} before its input {brief(missing[0])}"
            )
        inputs = [self.values[name] if name else None for name in node.input]
        attributes = {each.name: self._attribute(each) for each in node.attribute}
        if node.op_type == "Constant":
            found = [self._constant(attributes)]
        elif node.op_type == "If":
            found = self._branch(inputs, attributes)
        elif node.op_type not in onnx_operators.OPERATORS:
            raise UnsupportedError(f"the operator {brief(node.op_type)}")
        else:
            attributes |= {"opset": self.opset, "results": len(node.output)}
            found = self._called(node.op_type, inputs, attributes)
        for name, value in zip(node.output, found, strict=False):
            self.values[name] = value

    def _called(
        self, kind: str, inputs: list[Value | None], attributes: dict[str, Any]
    ) -> list[Value]:
        operator = onnx_operators.OPERATORS[kind]
        if not all(value is None or value.known for value in inputs):
            made = operator(inputs, attributes)
            found = made if isinstance(made, list) else [made]
            for value in found:
                check_size(value.shape)
            return found
        # Nothing of it depends on the photo: it is computed now.
        with tensorflow.load().init_scope():
            made = operator(inputs, attributes)
            found = made if isinstance(made, list) else [made]
            found = [Value(np.asarray(value.stored), value.axes) for value in found]
        self.known += sum(value.stored.size for value in found)
        if self.known > _MOST_KNOWN:
            raise UnsupportedError("more constants to compute than a small classifier has")
        return found

    def _attribute(self, attribute: Any) -> Any:
        from onnx import helper

        if attribute.type == _TENSOR:
            return onnx_file.numbers(attribute.t, self.path)
        return attribute.g if attribute.type == _GRAPH else helper.get_attribute_value(attribute)

    def _constant(self, attributes: dict[str, Any]) -> Value:
        kinds = {
            "value": None,
            "value_float": np.float32,
            "value_floats": np.float32,
            "value_int": np.int64,
            "value_ints": np.int64,
        }
        given = [(key, each) for key, each in attributes.items() if key in kinds]
        if not given:
            raise UnsupportedError("a Constant that is no tensor")
        ((key, content), *_) = given
        return plain(np.asarray(content, kinds[key]))

    def _branch(self, inputs: list[Value | None], attributes: dict[str, Any]) -> list[Value]:
        """Compute If, whose condition must be known."""
        condition = inputs[0]
        if condition is None or not condition.known:
            raise UnsupportedError("a condition (If) that depends on the photo")
        if self.depth >= _DEEPEST:
            raise UnsupportedError("too many conditions (If) inside each other")
        taken = attributes["then_branch" if condition.stored.reshape(-1)[0] else "else_branch"]
        inner = _Translation(self.path, self.opset, self.known, self.depth + 1, dict(self.values))
        inner.values |= _initial(taken, self.path)
        inner.compute_all(taken.node)
        self.known = inner.known
        return [inner.values[each.name] for each in taken.output]


def _initial(graph: Any, path: Path) -> dict[str, Value]:
    return {each.name: plain(onnx_file.numbers(each, path)) for each in graph.initializer}


def _write(model: Any, path: Path, saved_model: Path, declared: Declared, named: Named) -> set[int]:
    """Write the SavedModel, and return the lengths of its rows of outputs."""
    tf = tensorflow.load()
    graph = model.graph
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not versions or versions[0] < _OLDEST:
        raise UnsupportedError("operators of a version before 7")
    weights = {each.name for each in graph.initializer}
    outputs = [each.name for each in graph.output] if named.output is None else [named.output]
    nodes = _needed(graph, outputs, stop=named.input)
    made = {name for node in graph.node for name in node.output} | weights
    if unknown := [name for name in outputs if name not in made]:
        listed = _listed([each.name for each in graph.output])
        raise BadInputError(
            f"{path} has no output {brief(unknown[0])}; name one with --output, such as {listed}"
        )
    read = {name for node in nodes for name in _read_by(node)}
    photo = _photo(graph, weights, read, path, named)
    image, axes = _image(photo, path, declared, named)
    kept = [each for each in graph.initializer if each.name in read or each.name in outputs]
    known = {each.name: plain(onnx_file.numbers(each, path)) for each in kept}
    translation = _Translation(path, versions[0], values=known)
    names = [f"output_{at}" for at in range(len(outputs))]

    def serve(image: Any) -> list[Any]:
        translation.values[photo.name] = Value(image, axes)
        translation.compute_all(nodes)
        found = [translation.values[name] for name in outputs]
        if all(value.known for value in found):
            raise UnsupportedError("outputs that do not depend on the photo")
        return [
            tf.identity(value.ordered(), name=name)
            for value, name in zip(found, names, strict=True)
        ]

    traced = tf.function(serve, autograph=False).get_concrete_function(image).graph
    results = dict(zip(outputs, traced.outputs, strict=True))
    open_batch.write(traced, photo.name, results, saved_model)
    return {int(each.shape[1]) for each in traced.outputs if each.shape.rank == 2}  # noqa: PLR2004


def _read_by(node: Any) -> list[str]:
    """Return the tensors that an operator reads, also inside its branches."""
    found = [name for name in node.input if name]
    waiting = [each.g for each in node.attribute if each.type == _GRAPH]
    while waiting:
        graph = waiting.pop()
        found += [each.name for each in graph.output]
        for inner in graph.node:
            found += inner.input
            waiting += [each.g for each in inner.attribute if each.type == _GRAPH]
    return found


def _needed(graph: Any, outputs: list[str], stop: str | None) -> list[Any]:
    """Return the operators that the outputs need, in the file's order; none before `stop`."""
    makers = {name: at for at, node in enumerate(graph.node) for name in node.output if name}
    waiting, reached = list(outputs), set[int]()
    while waiting:
        name = waiting.pop()
        if name == stop or (at := makers.get(name)) is None or at in reached:
            continue
        reached.add(at)
        waiting += _read_by(graph.node[at])
    return [node for at, node in enumerate(graph.node) if at in reached]


def _photo(graph: Any, weights: set[str], read: set[str], path: Path, named: Named) -> Any:
    """Return the description of the tensor that takes the photo, one of those that are read."""
    inputs = [each for each in graph.input if each.name not in weights]
    needed = [each for each in inputs if each.name in read]
    if named.input is not None:
        found = [each for each in (*inputs, *graph.value_info) if each.name == named.input]
        if not found:
            raise BadInputError(
                f"{path} has no input {brief(named.input)} whose shape it tells; name one with "
                f"--input, such as {_listed([each.name for each in inputs])}"
            )
        needed = [found[0], *(each for each in needed if each.name != named.input)]
    if len(needed) != 1:
        raise BadInputError(
            f"{path} has {len(needed)} inputs that its scores need "
            f"({_listed([each.name for each in needed])}); export a classifier whose only input "
            "is one image, or name input and output with --input and --output"
        )
    return needed[0]


def _image(photo: Any, path: Path, declared: Declared, named: Named) -> tuple[Any, tuple[int, ...]]:
    """Return the input with channels last, and how ONNX' axes are stored in it."""
    tf, kind = tensorflow.load(), photo.type.tensor_type
    sides = [side.dim_value if side.HasField("dim_value") else 0 for side in kind.shape.dim]
    of_images = len(sides) == len(CHANNELS_LAST) and (kind.elem_type in (*_FLOATS, _BYTE))
    last = of_images and sides[3] in _COLOURS and sides[1] not in _COLOURS
    colours = (sides[3 if last else 1] or 3) if of_images else 0
    if colours not in _COLOURS:
        raise BadInputError(
            f"{path} has an input {brief(photo.name)} that is not float32 [1, 3, height, width]; "
            f"export it with `{EXPORT}`"
        )
    height, width = sides[1:3] if last else sides[2:]
    wanted = named.size or (declared.height or 0, declared.width or 0)
    height, width = height or wanted[0], width or wanted[1]
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise BadInputError(
            f"{path} does not say how large its images are; give the size with --input-size, or "
            f"export it with a fixed one: `{EXPORT}`"
        )
    if sides[0] > 1:
        raise BadInputError(
            f"{path} takes {sides[0]} images at once; export it for one: `{EXPORT}`"
        )
    dtype = "uint8" if kind.elem_type == _BYTE else "float32"
    image = tf.TensorSpec((1, height, width, colours), dtype, name="image")
    return image, (0, 1, 2, 3) if last else CHANNELS_LAST


def _listed(names: list[str]) -> str:
    return ", ".join(brief(name) for name in names[:_SHOWN]) or "none"


FORMAT = Format(
    named="ONNX files",
    suffixes=SUFFIXES,
    recognises=lambda path: path.is_file() and path.name.endswith(".onnx"),
    read=export,
    companions=companions,
)
