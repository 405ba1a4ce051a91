"""Rewrites the converter's output so that TF.js' WebAssembly backend can run it.

The converter fuses any sum after a layer as the layer's bias: a constant of shape `[1, 1, 1, C]`,
a scalar, or the other branch of a residual block. It also fuses activations that the backend
lacks. The backend takes only a row with one constant for each channel (`fused.py`). So biases
that differ from such a row only in shape are stored as a row, and other fused operations are
split into layer, sum and activation.
"""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.tfjs.shards import write_shards
from toolchain.tfjs_graph import fused
from toolchain.tfjs_graph.topology import graph_of
from toolchain.tfjs_graph.weights import constant_shapes

if TYPE_CHECKING:
    from pathlib import Path

_BIAS = 2
"""Index of the bias among the inputs of a fused operation."""


def mend(folder: Path, *, shard_bytes: int) -> None:
    """Rewrite a converted model, before it is sealed, so that WebAssembly can run it.

    Args:
        folder: The folder of `model.json` and its shards, rewritten if anything changes.
        shard_bytes: The largest size of one weight file.
    """
    path = folder / "model.json"
    model = json.loads(path.read_text("utf-8"))
    mended, rows = runnable(model)
    if mended is None:
        return
    if rows:
        _store_rows(folder, mended, rows, shard_bytes)
    path.write_text(json.dumps(mended), "utf-8")


def runnable(model: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, tuple[str, int]]]:
    """Return a parsed `model.json` whose fused operations WebAssembly can run.

    Args:
        model: The converter's `model.json`.

    Returns:
        The model, or None if it needs no change. Then the rows of constants to add to its weights,
        by name: the constant that each is made from, and its length. Each such constant has that
        size, or is a single value.
    """
    from google.protobuf import json_format

    graph = graph_of(model)
    shapes = constant_shapes(model)
    nodes: list[Any] = []
    rows: dict[str, tuple[str, int]] = {}
    operations = {node.name: node.op for node in graph.node}
    for node in graph.node:
        if fused.attribute(node, "data_format").s in (b"", b"NHWC"):
            if node.op == "BiasAdd" and not _is_bias(node, operations, shapes):
                # To TF.js both are the same sum, but TensorFlow takes only a row as bias. Its
                # optimiser also moves constants from after a BiasAdd to before it.
                node.op = "AddV2"
                node.attr.pop("data_format", None)
            for link in _mended(node, shapes, rows):
                slopes = shapes.get(_name(link.input[1])) if link.op == "Prelu" else None
                is_stretched = link.op == "Prelu" and not fused.prelu_is_by_channel(slopes)
                nodes.extend(fused.without_prelu(link) if is_stretched else [link])
        else:
            # The backend has no other format; `runnable.py` refuses this operation.
            nodes.append(node)
    before = [node.SerializeToString(deterministic=True) for node in graph_of(model).node]
    if before == [node.SerializeToString(deterministic=True) for node in nodes]:
        return None, {}
    changed = type(graph)(node=nodes, library=graph.library, versions=graph.versions)
    return model | {"modelTopology": json_format.MessageToDict(changed)}, rows


def _is_bias(node: Any, operations: dict[str, str], shapes: dict[str, Any]) -> bool:
    """Tell whether a `BiasAdd` adds a row of constants to a layer."""
    layer, bias = (_name(name) for name in node.input[:2])
    return operations.get(layer) in fused.FUSED.values() and len(shapes.get(bias, ())) == 1


def _mended(node: Any, shapes: dict[str, Any], rows: dict[str, tuple[str, int]]) -> list[Any]:
    """Return a node unchanged, with its bias as a row, or split into its parts."""
    if node.op not in fused.FUSED:
        return [node]
    made: list[Any] = []
    kernel = shapes.get(_name(node.input[1]))
    if fused.steps_of(node)[:1] == ["BiasAdd"] and kernel is not None:
        channels = fused.channels_of(node, kernel)
        bias = _name(node.input[_BIAS])
        rank = 2 if node.op == "_FusedMatMul" else 4
        shape = shapes.get(bias)
        if shape is not None and shape != (channels,) and fused.by_channel(shape, channels, rank):
            name = f"{bias}/row_of_{channels}"
            if name not in rows:
                made.append(_constant(type(node), name, channels))
            rows[name] = (bias, channels)
            shapes[name] = (channels,)
            node.input[_BIAS] = name
    if fused.obstacle(node, shapes) is None:
        return [*made, node]
    return [*made, *fused.apart(node, "AddV2")]


def _constant(kind: Any, name: str, length: int) -> Any:
    """Return the node of a row of float32 constants, whose values are in the shards."""
    from tensorflow.core.framework import types_pb2

    node = kind(name=name, op="Const")
    node.attr["dtype"].type = types_pb2.DT_FLOAT
    node.attr["value"].tensor.dtype = types_pb2.DT_FLOAT
    node.attr["value"].tensor.tensor_shape.dim.add(size=length)
    return node


def _store_rows(
    folder: Path, model: dict[str, Any], rows: dict[str, tuple[str, int]], shard_bytes: int
) -> None:
    """Add rows to the shards and the manifest, and remove constants that are no longer read."""
    read = {
        _name(name) for node in model["modelTopology"]["node"] for name in node.get("input", ())
    }
    outputs = {_name(entry["name"]) for entry in model["signature"]["outputs"].values()}
    wanted: dict[str, list[tuple[str, int]]] = {}
    for name, (constant, channels) in rows.items():
        wanted.setdefault(constant, []).append((name, channels))
    gone = wanted.keys() - read - outputs
    for number, group in enumerate(model["weightsManifest"], 1):
        data = b"".join((folder / shard).read_bytes() for shard in group["paths"])
        entries: list[dict[str, Any]] = []
        chunks: list[bytes] = []
        offset = 0
        for entry in group["weights"]:
            size = prod(int(side) for side in entry["shape"])
            stored = np.dtype(entry.get("quantization", entry)["dtype"])
            content = data[offset : offset + size * stored.itemsize]
            offset += len(content)
            if entry["name"] not in gone:
                entries.append(entry)
                chunks.append(content)
            for name, channels in wanted.get(entry["name"], ()):
                entries.append(entry | {"name": name, "shape": [channels]})
                chunks.append(content * (channels // size))
        for shard in group["paths"]:
            (folder / shard).unlink()
        group["weights"] = entries
        group["paths"] = write_shards(folder, number, b"".join(chunks), shard_bytes)
    nodes = model["modelTopology"]["node"]
    model["modelTopology"]["node"] = [node for node in nodes if node["name"] not in gone]


def _name(reference: str) -> str:
    return reference.lstrip("^").split(":")[0]
