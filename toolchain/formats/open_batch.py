"""Opens the batch of a graph that was made for one photo, so that several can be passed at once.

In every tensor that depends on the photo, the photos are the outermost part of the first axis,
unless a transposition moved them. A reshape keeps that. So it is enough to leave the first length
of each reshape open. Whether the result is right is not proved but tried: the graph must answer
two photos at once as it answers each alone. If it does not, it stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats import constant_graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_SAME = 1e-3  # of the largest number; a mixed batch differs by much more than rounding does


def write(traced: Any, photo: str, outputs: Mapping[str, Any], folder: Path) -> Any:
    """Write a graph that was traced for one photo as a SavedModel, for any number if that is right.

    Args:
        traced: The `FuncGraph`, whose only input takes the photo.
        photo: What the signature calls the input.
        outputs: The tensors of the graph that it gives, by the names in the signature.
        folder: The folder to write; it must not exist.

    Returns:
        The `GraphDef` that was written.
    """
    single = traced.as_graph_def()
    (image,) = traced.inputs
    graph_def = opened(single, image, [each.name for each in outputs.values()])
    is_open = graph_def is not single
    constant_graph.write(
        graph_def,
        {photo: _described(image, is_open=is_open)},
        {name: _described(tensor, is_open=is_open) for name, tensor in outputs.items()},
        folder,
    )
    return graph_def


def _described(tensor: Any, *, is_open: bool) -> Any:
    """Return how a signature describes a tensor; `is_open` tells whether it takes any batch."""
    from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

    info = TensorInfo(name=tensor.name, dtype=tensor.dtype.as_datatype_enum)
    info.tensor_shape.CopyFrom(tensor.shape.as_proto())
    if tensor.shape.rank and is_open:
        info.tensor_shape.dim[0].size = -1
    return info


def opened(graph_def: Any, image: Any, outputs: Iterable[str]) -> Any:
    """Return a graph with an open batch, or the same graph if that changes its answers.

    Args:
        graph_def: The `GraphDef`, made for one photo.
        image: The tensor that takes it; its name and shape are used.
        outputs: The names of the tensors that are compared.
    """
    tf = tensorflow.load()
    made = type(graph_def)()
    made.CopyFrom(graph_def)
    nodes = {node.name: node for node in made.node}
    for node in made.node:
        shape = nodes.get(node.input[1]) if node.op == "Reshape" else None
        if shape is not None and shape.op == "Const":
            sides = tf.make_ndarray(shape.attr["value"].tensor).copy()
            if sides.size:
                sides[0] = -1
                shape.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(sides))
    nodes[image.op.name].attr["shape"].shape.dim[0].size = -1
    shown = np.random.default_rng(0).uniform(-1, 1, (2, *image.shape[1:]))
    pair = (shown * 2 + 128 if image.dtype == tf.uint8 else shown).astype(
        image.dtype.as_numpy_dtype
    )
    names = list(outputs)
    try:
        alone = [answers(graph_def, image.name, names, photo[None]) for photo in pair]
        together = answers(made, image.name, names, pair)
    except (tf.errors.OpError, ValueError, TypeError):
        return graph_def
    for one, other, both in zip(*alone, together, strict=True):
        apart = np.concatenate([one, other]) if one.ndim else one
        if both.shape != apart.shape or not one.ndim:
            return graph_def
        if not np.allclose(
            both, apart, rtol=0, atol=_SAME * max(1.0, np.abs(apart).max(initial=0))
        ):
            return graph_def
    return made


def answers(graph_def: Any, image: str, outputs: list[str], photos: Any) -> list[Any]:
    """Run a graph, and return the values of some of its tensors.

    Args:
        graph_def: The `GraphDef`.
        image: The name of the tensor that takes the photos.
        outputs: The names of the tensors to return.
        photos: The photos.
    """
    tf = tensorflow.load()

    def take_in() -> None:
        tf.graph_util.import_graph_def(graph_def, name="")

    whole = tf.compat.v1.wrap_function(take_in, [])
    graph = whole.graph
    found = whole.prune(
        graph.get_tensor_by_name(image), [graph.get_tensor_by_name(name) for name in outputs]
    )
    return [each.numpy() for each in found(tf.constant(photos))]
