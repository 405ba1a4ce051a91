"""Reads a frozen graph of TensorFlow 1, a `GraphDef` in a `.pb` file, as a SavedModel.

The graph is only wrapped, and nothing of it runs here: it is checked as any SavedModel before
TensorFlow loads it. Such a file does not tell which operations are its input and outputs. They
are found by their kinds, or the user names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import constant_graph
from toolchain.formats.format import NOTHING_NAMED, Format, Named
from toolchain.records.card import Declared
from toolchain.text import brief

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".pb",)
_MAX_BYTES = (1 << 31) - 1  # of a protobuf message
_VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp", "AutoReloadVariable"})
_NO_RESULTS = frozenset({"Const", "Placeholder", "NoOp", "Assert", "PlaceholderWithDefault"})
_RANK = len("nhwc")
_SHOWN = 12  # operations that a message lists
_AFTER_DECODING = frozenset(
    {"Cast", "ExpandDims", "ResizeBilinear", "ResizeNearestNeighbor", "Sub", "Mul", "RealDiv"}
)


def export(
    path: Path, saved_model: Path, *, trusted: bool = False, named: Named = NOTHING_NAMED
) -> Declared:
    """Write a frozen graph as a SavedModel with the signature `serving_default`.

    Args:
        path: The `.pb` file.
        saved_model: The folder to write; it must not exist.
        trusted: Not used: the SavedModel is checked before it is loaded.
        named: The operations that the user names; any operation of the graph may be the input
            or the output.

    Returns:
        Nothing declared: such a file holds no labels.

    Raises:
        BadInputError: It is no frozen graph, holds variables, or its input or outputs cannot be
            told.
    """
    del trusted
    write(path, _read(path), named, saved_model)
    return Declared()


def write(path: Path, graph_def: Any, named: Named, saved_model: Path) -> None:
    """Write a graph as a SavedModel with the signature `serving_default`.

    Args:
        path: How messages name the graph.
        graph_def: The `GraphDef`, without variables.
        named: The operations that are its input and output, where they are known.
        saved_model: The folder to write; it must not exist.

    Raises:
        BadInputError: Its input or outputs cannot be told.
    """
    nodes = {node.name: node for node in graph_def.node}
    source = _input(path, nodes, named.input)
    outputs = _outputs(path, nodes, named.output)
    kept = _cut(graph_def, source, outputs)
    if source.name not in {node.name for node in kept.node}:
        raise BadInputError(
            f"{path} has the output {', '.join(outputs)}, which does not depend on the input "
            f"{source.name}; name both with --input and --output"
        )
    _write(kept, source, outputs, saved_model)


def _read(path: Path) -> Any:
    from google.protobuf.message import DecodeError

    if path.name == constant_graph.GRAPH:
        raise BadInputError(
            f"{path} is a part of a SavedModel; give its folder, {path.resolve().parent}"
        )
    tf = tensorflow.load()
    again = "give the file that convert_variables_to_constants or freeze_graph wrote"
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadInputError(f"{path} has more than 2 GB, so it is no frozen graph; {again}")
        graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read: {error.strerror}; check its permissions"
        ) from error
    except DecodeError as error:
        raise BadInputError(f"{path} is not a frozen graph of TensorFlow; {again}") from error
    if not any(node.op for node in graph_def.node):
        raise BadInputError(f"{path} is not a frozen graph of TensorFlow; {again}")
    for node in graph_def.node:
        if node.op in _VARIABLES:
            raise BadInputError(
                f"{path} is a graph without its weights (it has a variable, {brief(node.name)}); "
                "freeze it with tf.compat.v1.graph_util.convert_variables_to_constants, or give "
                "a SavedModel folder"
            )
    return graph_def


def _input(path: Path, nodes: dict[str, Any], wanted: str | None) -> Any:
    """Return the operation that takes the photo, as a placeholder.

    Raises:
        BadInputError: It cannot be told.
    """
    if wanted is not None:
        return _placeholder(path, _node(path, nodes, wanted, "--input"))
    tf = tensorflow.load()
    found = [node for node in nodes.values() if node.op == "Placeholder"]
    images = [
        node
        for node in found
        if (kind := tf.dtypes.as_dtype(node.attr["dtype"].type or 1)).is_floating
        or kind == tf.uint8
    ]
    of_rank = [
        node
        for node in images
        if "shape" in node.attr and len(node.attr["shape"].shape.dim) == _RANK
    ]
    if len(of_rank) == 1:
        return of_rank[0]
    if not of_rank and len(found) == len(images) == 1:
        return _placeholder(path, images[0])
    inner = [node.name for node in nodes.values() if node.op in _AFTER_DECODING]
    listed = ", ".join(brief(name) for name in [*(each.name for each in found), *inner][:_SHOWN])
    raise BadInputError(
        f"{path} does not tell which operation takes the photo as floats [n, height, width, 3]; "
        f"name it with --input, it may be one of {listed or 'its operations'}"
    )


def _placeholder(path: Path, node: Any) -> Any:
    """Return a placeholder for images of any size in place of an operation.

    Raises:
        BadInputError: The operation's numbers are neither floats nor bytes.
    """
    tf = tensorflow.load()
    keys = ("dtype", "DstT", "T", "out_type")
    kinds = [node.attr[key].type for key in keys if key in node.attr and node.attr[key].type]
    # A resize gives floats, whatever it takes.
    kind = tf.float32.as_datatype_enum if node.op == "ResizeBilinear" else (kinds or [0])[0]
    if kind not in (tf.float32.as_datatype_enum, tf.uint8.as_datatype_enum):
        raise BadInputError(
            f"{path} has the operation {brief(node.name)}, but it gives neither floats nor bytes; "
            "name another with --input"
        )
    made = tf.compat.v1.NodeDef(name=node.name, op="Placeholder")
    made.attr["dtype"].type = kind
    form = made.attr["shape"].shape
    known = node.attr["shape"].shape.dim if node.op == "Placeholder" else ()
    if len(known) == _RANK:
        form.CopyFrom(node.attr["shape"].shape)
    else:
        for size in (-1, -1, -1, 3):
            form.dim.add(size=size)
    return made


def _outputs(path: Path, nodes: dict[str, Any], wanted: str | None) -> tuple[str, ...]:
    """Return the tensors that may be the scores.

    Raises:
        BadInputError: There is none, or not the named one.
    """
    if wanted is not None:
        _node(path, nodes, wanted, "--output")
        return (wanted if ":" in wanted else f"{wanted}:0",)
    read = {_node_name(source) for node in nodes.values() for source in node.input}
    ends = [
        node.name for node in nodes.values() if node.name not in read and node.op not in _NO_RESULTS
    ]
    if not ends or len(ends) > _SHOWN:
        listed = ", ".join(brief(name) for name in (ends or [*nodes])[-_SHOWN:])
        raise BadInputError(
            f"{path} has {len(ends)} operations that may be its scores; name one with --output, "
            f"such as {listed}"
        )
    return tuple(f"{name}:0" for name in ends)


def _node(path: Path, nodes: dict[str, Any], wanted: str, option: str) -> Any:
    node = nodes.get(_node_name(wanted))
    if node is None:
        listed = ", ".join(brief(name) for name in [*nodes][:1] + [*nodes][-3:])
        raise BadInputError(
            f"{path} has no operation {brief(wanted)}; name one with {option}, such as {listed}"
        )
    return node


def _cut(graph_def: Any, source: Any, outputs: tuple[str, ...]) -> Any:
    """Return the part of a graph from its input to its outputs, with the placeholder for input."""
    tf = tensorflow.load()
    nodes = {node.name: node for node in graph_def.node} | {source.name: source}
    waiting, reached = [_node_name(name) for name in outputs], set[str]()
    while waiting:
        name = waiting.pop()
        if name in reached or name not in nodes:
            continue
        reached.add(name)
        waiting += [_node_name(each) for each in nodes[name].input]
    kept = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    kept.node.extend(nodes[node.name] for node in graph_def.node if node.name in reached)
    return kept


def _write(graph_def: Any, source: Any, outputs: tuple[str, ...], folder: Path) -> None:
    tf = tensorflow.load()
    from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

    taken = TensorInfo(name=f"{source.name}:0", dtype=source.attr["dtype"].type)
    taken.tensor_shape.CopyFrom(source.attr["shape"].shape)
    given = {}
    for name in outputs:
        info = TensorInfo(name=name, dtype=tf.float32.as_datatype_enum)
        info.tensor_shape.unknown_rank = True
        given[name.removesuffix(":0")] = info
    constant_graph.write(graph_def, {source.name: taken}, given, folder)


def _node_name(text: str) -> str:
    return text.removeprefix("^").partition(":")[0]


FORMAT = Format(
    named="frozen graphs",
    suffixes=SUFFIXES,
    recognises=lambda path: path.is_file() and path.name.endswith(SUFFIXES),
    read=export,
)
