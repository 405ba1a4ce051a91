"""ONNX graphs, damaged as graphs: their protobuf is whole, but what it says is not."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.fuzz import damage
from toolchain.formats import onnx_model
from toolchain.formats.onnx_operators import OPERATORS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.reader import Strategy

_ODD = (0, 1, -1, 2, 3, 7, 1 << 12, 1 << 20, 1 << 31, 1 << 40, -(1 << 62))
_KINDS = ("attribute", "operator", "input", "output", "size", "number", "cut", "again", "image")
_edits = damage.graph_edits(_KINDS, _ODD)


@lru_cache
def _whole() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    node, random = helper.make_node, np.random.default_rng(1)
    weights = {
        "kernel": random.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "dense": random.normal(size=(4, 2)).astype(np.float32),
        "four": np.array([4]),
        "zero": np.array([0]),
        "one": np.array([1]),
        "shift": np.float32(3),
    }
    nodes = [
        node("Conv", ["image", "kernel"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Add", ["a", "shift"], ["b"]),
        node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Shape", ["c"], ["d"]),
        node("Slice", ["d", "zero", "one"], ["e"]),
        node("Concat", ["e", "four"], ["f"], axis=0),
        node("Expand", ["shift", "f"], ["g"]),
        node("ReduceMean", ["c"], ["h"], axes=[2, 3], keepdims=1),
        node("Reshape", ["h", "f"], ["i"]),
        node("Mul", ["i", "g"], ["j"]),
        node("MatMul", ["j", "dense"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])
    kept = [numpy_helper.from_array(np.asarray(each), name) for name, each in weights.items()]
    graph = helper.make_graph(nodes, "g", [image], [scores], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _edited(edits: list[tuple[str, int, int, int]]) -> bytes:
    import onnx

    model = onnx.ModelProto.FromString(_whole())
    for kind, one, other, odd in edits:
        _edit(model.graph, kind, one, other, odd)
    return bytes(model.SerializeToString())


def _edit(graph: Any, kind: str, one: int, other: int, odd: int) -> None:
    nodes, kept = graph.node, graph.initializer
    node = nodes[one % len(nodes)] if nodes else None
    tensor = kept[one % len(kept)] if kept else None
    names = [each.output[0] for each in nodes if each.output] + [each.name for each in kept]
    if kind == "attribute" and node is not None and node.attribute:
        ints = node.attribute[other % len(node.attribute)].ints
        ints[:] = [*ints[:1], odd]
    elif kind == "operator" and node is not None:
        node.op_type = sorted(OPERATORS)[other % len(OPERATORS)]
    elif kind == "input" and node is not None and node.input and names:
        node.input[other % len(node.input)] = names[(one + other) % len(names)]
    elif kind == "output" and node is not None and names:
        node.output[0] = names[other % len(names)]
    elif kind == "size" and tensor is not None and tensor.dims:
        tensor.dims[other % len(tensor.dims)] = max(odd, -(1 << 62))
    elif kind == "number" and tensor is not None and tensor.raw_data:
        tensor.raw_data = odd.to_bytes(8, "little", signed=True)[: len(tensor.raw_data)].ljust(
            len(tensor.raw_data), b"\1"
        )
    elif kind == "cut" and tensor is not None:
        del kept[one % len(kept)]
    elif kind == "again" and node is not None:
        graph.node.add().CopyFrom(node)
    elif kind == "image" and graph.input:
        dims = graph.input[0].type.tensor_type.shape.dim
        dims[other % len(dims)].dim_value = odd


def contents() -> Strategy:
    """Return whole ONNX files whose graphs are changed in a few places."""
    return _edits.map(_edited)


def read(path: Path) -> None:
    """Translate a file."""
    onnx_model.export(path, path.with_name("model"))
