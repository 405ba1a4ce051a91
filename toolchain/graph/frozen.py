"""Freezes a signature's graph: variables become constants, in dtypes that the page can compute.

Half and double precision become float32, an integer input becomes rounded floats, and `Erfc`,
which TF.js lacks, becomes `1 - Erf`. The result must compute the same for a photo each time. A
graph that assigns variables, draws random numbers or uses the other photos of its batch was
exported in training mode, and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph import faults, layout
from toolchain.graph.running import node_of, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolchain.graph.signature import Signature

_WIDENED = ("float16", "bfloat16", "float64")
_VARIABLES = frozenset(
    {"VarHandleOp", "ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp"}
    | {"AssignSubVariableOp", "ResourceGather", "Variable", "VariableV2", "Assign", "AssignAdd"}
)
_RANDOM = (
    "Random",
    "Stateless",
    "Stateful",
    "Multinomial",
    "RngSkip",
    "RngRead",
    "TruncatedNormal",
)
_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "StatelessIf", "StatelessWhile")
_TRAINING = (
    "it was exported in training mode; export it with training=False, or build from the Keras "
    "file itself"
)


@dataclass(frozen=True)
class Frozen:
    """A graph without variables."""

    graph_def: Any
    """TensorFlow's `GraphDef`, reduced to what the output depends on."""
    input: str
    """Name of the placeholder, float32 `[n, height, width, 3]`."""
    output: str
    """Name of the node with the scores, float32 `[n, classes]`."""
    is_widened: bool = False
    """Whether the source computes some of it in half or double precision."""


def freeze(loaded: Any, signature: Signature, name: str) -> Frozen:
    """Return a signature's graph as constants and operations.

    Args:
        loaded: TensorFlow's loaded object.
        signature: The signature to freeze.
        name: How messages name the model.

    Raises:
        BadInputError: It may give different answers to the same photo, or needs other inputs too.
    """
    tf = tensorflow.load()
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    try:
        concrete = convert_variables_to_constants_v2(loaded.signatures[signature.key])
    except Exception as error:
        # TensorFlow raises a ValueError or its own exceptions for what cannot be made constant.
        if not faults.is_tensorflows(error):
            raise
        said = faults.first_line(error)
        if "Assign" in said or "Resource" in said or "resource" in said:
            raise BadInputError(f"{name} still assigns variables ({said}): {_TRAINING}") from error
        raise BadInputError(
            f"{name} cannot be frozen ({said}); save it again with `model.export(folder)`"
        ) from error
    output = _scores_in(loaded.signatures[signature.key], concrete, signature.output)
    (placeholder,) = (
        tensor.op.name for tensor in concrete.inputs if tensor.dtype.name == signature.dtype
    )
    target = node_of(output.name)
    whole = concrete.graph.as_graph_def()
    if output.name != f"{target}:0":
        target = _first_output(whole, output.name, output.dtype.as_datatype_enum)
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(whole, [target])
    names = {node.name for node in graph_def.node}
    if placeholder not in names:
        raise BadInputError(f"{name} returns the same scores for every photo; export it again")
    others = [node for node in graph_def.node if node.op == "Placeholder"]
    if len(others) > 1:
        raise BadInputError(
            f"{name} needs more than the photo ({', '.join(sorted(n.name for n in others))}); "
            "export a model whose only input is the photo"
        )
    _refuse_changing(graph_def, name)
    _refuse_channels_first(graph_def, name)
    _round_what_is_fed(graph_def, placeholder)
    layout.prepend(graph_def, placeholder, signature.layout)
    _use_defaults(graph_def)
    _forget_gradients(graph_def)
    is_widened = _widen(graph_def)
    _replace_erfc(graph_def)
    return Frozen(graph_def, placeholder, target, is_widened)


def _scores_in(function: Any, concrete: Any, output: str) -> Any:
    """Return the tensor of a frozen function that is the output of this name."""
    tf = tensorflow.load()
    # Both list the outputs of a signature by their sorted names, as `tf.nest` does.
    names = sorted(function.structured_outputs)
    outputs = list(tf.nest.flatten(concrete.outputs))
    return outputs[names.index(output)]


def settle_size(frozen: Frozen, height: int, width: int) -> None:
    """Set the image size of a graph's input, in place, and drop the shapes inferred before."""
    for node in frozen.graph_def.node:
        if node.name == frozen.input:
            sizes = node.attr["shape"].shape.dim
            if len(sizes) == len("nhwc"):
                sizes[1].size, sizes[2].size = height, width
            # Shapes that were inferred for any size are no longer right.
        node.attr.pop("_output_shapes", None)


def save(frozen: Frozen, folder: Path) -> None:
    """Write a graph as a SavedModel, with the signature `serving_default`: `image` → `scores`.

    Args:
        frozen: The graph.
        folder: The folder to write; it must not exist.
    """
    tf = tensorflow.load()
    (node,) = (node for node in frozen.graph_def.node if node.name == frozen.input)
    sizes = [None if side.size < 0 else side.size for side in node.attr["shape"].shape.dim]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec(sizes, tf.float32, name="image")]
    )
    def call(image: Any) -> Any:
        (scores,) = tf.graph_util.import_graph_def(
            frozen.graph_def,
            input_map={tensor(frozen.input): image},
            return_elements=[tensor(frozen.output)],
            name="",
        )
        return {"scores": scores}

    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(tf.Module(), str(folder), signatures=call, options=options)


def _first_output(graph_def: Any, name: str, dtype: int) -> str:
    """Add a node whose first output is the tensor of this name."""
    node = graph_def.node.add(name="toolchain/scores", op="Identity", input=[name])
    node.attr["T"].type = dtype
    return "toolchain/scores"


def _bodies(graph_def: Any) -> Iterator[Any]:
    yield graph_def.node
    for function in graph_def.library.function:
        yield function.node_def


def _refuse_changing(graph_def: Any, name: str) -> None:
    for body in _bodies(graph_def):
        for node in body:
            if node.op in _VARIABLES:
                raise BadInputError(f"{name} still uses the variable {node.name}: {_TRAINING}")
            if node.op.startswith(_RANDOM) and node.op not in _CALLS:
                raise BadInputError(
                    f"{name} draws random numbers for every photo ({node.name}): {_TRAINING}"
                )
            if node.op.startswith("FusedBatchNorm") and (
                "is_training" not in node.attr or node.attr["is_training"].b
            ):
                raise BadInputError(
                    f"{name} normalises by the photos of a batch ({node.name}): {_TRAINING}"
                )


def _refuse_channels_first(graph_def: Any, name: str) -> None:
    for body in _bodies(graph_def):
        for node in body:
            if "data_format" in node.attr and node.attr["data_format"].s.startswith(b"NC"):
                raise BadInputError(
                    f"{name} computes with channels first ({node.name}, NCHW), which neither "
                    "TensorFlow on processors nor TF.js can; export it with "
                    "data_format='channels_last', its input may keep channels first"
                )


def _use_defaults(graph_def: Any) -> None:
    """Pass on the default of every input that has one, in place; TF.js would wait for a value."""
    for body in _bodies(graph_def):
        for node in body:
            if node.op == "PlaceholderWithDefault":
                kind = node.attr["dtype"].type
                node.op = "Identity"
                node.attr.clear()
                node.attr["T"].type = kind


def _forget_gradients(graph_def: Any) -> None:
    """Remove the names of custom gradients, which activations such as swish define.

    They name functions of the original graph, which cannot be saved with another graph.
    """
    for body in _bodies(graph_def):
        for node in body:
            node.attr.pop("_gradient_op_type", None)


def _round_what_is_fed(graph_def: Any, placeholder: str) -> None:
    """Change the input of a graph from bytes to floats, and let it round them to bytes itself.

    The page's resized pixels are not whole numbers.
    """
    tf = tensorflow.load()
    (node,) = (node for node in graph_def.node if node.name == placeholder)
    kind = tf.dtypes.as_dtype(node.attr["dtype"].type)
    if not kind.is_integer:
        return
    single = tf.float32.as_datatype_enum
    readers = [
        (reader, place)
        for reader in graph_def.node
        for place, source in enumerate(reader.input)
        if source in (placeholder, f"{placeholder}:0")
    ]
    node.attr["dtype"].type = single
    rounded = graph_def.node.add(name=f"{placeholder}/rounded", op="Round", input=[placeholder])
    rounded.attr["T"].type = single
    whole: str | None = None
    for reader, place in readers:
        if reader.op == "Cast" and tf.dtypes.as_dtype(reader.attr["DstT"].type).is_floating:
            reader.attr["SrcT"].type = single
            reader.input[place] = rounded.name
            continue
        if reader.op == "ResizeBilinear" and place == 0:
            reader.attr["T"].type = single
            reader.input[place] = rounded.name
            continue
        if whole is None:
            cast = graph_def.node.add(name=f"{placeholder}/whole", op="Cast", input=[rounded.name])
            cast.attr["SrcT"].type = single
            cast.attr["DstT"].type = kind.as_datatype_enum
            whole = cast.name
        reader.input[place] = whole


def _widen(graph_def: Any) -> bool:
    """Change half and double precision to float32, in constants and in operations, in place.

    Returns:
        Whether anything changed.
    """
    before = graph_def.SerializeToString(deterministic=True)
    tf = tensorflow.load()
    single = tf.float32.as_datatype_enum
    others = {getattr(tf, name).as_datatype_enum for name in _WIDENED}
    for body in _bodies(graph_def):
        for node in body:
            for value in node.attr.values():
                _widen_attribute(value, others, tf)
            if node.op == "Cast" and node.attr["SrcT"].type == node.attr["DstT"].type == single:
                for key in list(node.attr):
                    node.attr.pop(key)
                node.op = "Identity"
                node.attr["T"].type = single
    for function in graph_def.library.function:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            if argument.type in others:
                argument.type = single
    return bool(graph_def.SerializeToString(deterministic=True) != before)


def _widen_attribute(value: Any, others: set[int], tf: Any) -> None:
    single = tf.float32.as_datatype_enum
    kind = value.WhichOneof("value")
    if kind == "type" and value.type in others:
        value.type = single
    elif kind == "tensor" and value.tensor.dtype in others:
        numbers = tf.make_ndarray(value.tensor).astype(np.float32)
        value.tensor.CopyFrom(tf.make_tensor_proto(numbers, shape=numbers.shape))
    elif kind == "list":
        value.list.type[:] = [single if each in others else each for each in value.list.type]


def _replace_erfc(graph_def: Any) -> None:
    tf = tensorflow.load()
    single = tf.float32.as_datatype_enum
    for node in [node for node in graph_def.node if node.op == "Erfc"]:
        one = graph_def.node.add(name=f"{node.name}/one", op="Const")
        one.attr["dtype"].type = single
        one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.float32(1)))
        erf = graph_def.node.add(name=f"{node.name}/erf", op="Erf", input=list(node.input))
        erf.attr["T"].type = single
        node.op = "Sub"
        node.input[:] = [one.name, erf.name]
