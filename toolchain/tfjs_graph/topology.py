"""The graph of a TF.js graph model, as a graph of TensorFlow's own operations.

TF.js' converter fuses convolutions with their bias and activation into operations for which
TensorFlow does not have kernels for every shape. They are split again, which changes no result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.tfjs_graph import fused
from toolchain.tfjs_graph.weights import constant_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    Array = np.ndarray[Any, Any]


# TensorFlow's dtypes that TF.js replaces: int64, uint8 and int8 by int32, float64 and float16 by
# float32 (`parseDtypeParam` in `tfjs-converter/src/operations/operation_mapper.ts`).
_AS_IN_TFJS = {9: 3, 4: 3, 6: 3, 2: 1, 19: 1}


def unfused(model: dict[str, Any], *, as_page: bool = True) -> Any:
    """Return the graph of a parsed `model.json` as a `GraphDef` of TensorFlow's own operations.

    Constants whose values are in the shards stay empty `Const` nodes.

    Args:
        model: The parsed `model.json`.
        as_page: Whether to refuse what the page's first backend cannot run, and to keep the
            order of operations.

    Raises:
        BadInputError: A fused operation is one that the page's first backend cannot run.
    """
    stored = graph_of(model)
    shapes = constant_shapes(model)
    runnable = type(stored)(versions=stored.versions, library=stored.library)
    for node in stored.node:
        if node.op in fused.FUSED:
            if as_page and (reason := fused.obstacle(node, shapes)):
                raise BadInputError(
                    f"{node.op} {node.name} {reason}, which TF.js' WebAssembly backend cannot "
                    "run; build the site again"
                )
            forms = [shapes.get(name.partition(":")[0]) for name in node.input[2:3]]
            is_row = as_page or (forms and forms[0] is not None and len(forms[0]) == 1)
            chain = fused.apart(node, "BiasAdd" if is_row else "AddV2")
        else:
            chain = [node]
        for link in chain:
            parts = fused.without_prelu(link) if link.op == "Prelu" else [link]
            runnable.node.extend(parts)
    for node in runnable.node:
        node.device = ""
        if not as_page:
            # Control inputs only order operations, and these have no effects. Old converters left
            # them at constants, and the converter cannot freeze a constant that waits for a photo.
            kept = [source for source in node.input if not source.startswith("^")]
            del node.input[:]
            node.input.extend(kept)
        for value in node.attr.values():
            if value.type in _AS_IN_TFJS:
                value.type = _AS_IN_TFJS[value.type]
            types = value.list.type if value.HasField("list") else []
            for index, kind in enumerate(types):
                types[index] = _AS_IN_TFJS.get(kind, kind)
    return runnable


def graph_of(model: dict[str, Any]) -> Any:
    """Return the graph of a parsed `model.json` as a `GraphDef`, unchanged."""
    tensorflow.load()
    from google.protobuf import json_format
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    json_format.ParseDict(model["modelTopology"], graph, ignore_unknown_fields=True)
    return graph


def with_values(graph_def: Any, weights: Mapping[str, Array]) -> Any:
    """Set the values of `Const` nodes to the weights of the same names; return the graph."""
    tf = tensorflow.load()
    for node in graph_def.node:
        if node.op == "Const" and node.name in weights:
            tensor = tf.make_tensor_proto(weights[node.name], shape=weights[node.name].shape)
            node.attr["value"].tensor.CopyFrom(tensor)
            node.attr["dtype"].type = tensor.dtype
    return graph_def
