"""Runs TF.js artifacts in TensorFlow: the weights as stored, decoded as the page decodes them.

What a page computes is the graph in `model.json` with the weights in the shards, not the
SavedModel they came from. Here the same two run in Python. TF.js' converter fuses
convolutions with their bias and activation into operations of which TensorFlow has no
kernel for every shape; they are taken apart again, which changes no result.
"""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.tfjs import packing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Array = np.ndarray[Any, Any]

# The fused operations, and what each is without its bias and activation.
_FUSED = {
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
}
_FUSION_ATTRIBUTES = frozenset(
    {"fused_ops", "num_args", "epsilon", "leakyrelu_alpha", "TArgs", "num_host_args", "host_args"}
)


def decode_weights(folder: Path, model: dict[str, Any]) -> dict[str, Array]:
    """Read the shards and decode each weight as TF.js does (`io_utils.ts`, `decodeWeights`).

    Args:
        folder: Where the shards lie.
        model: The parsed `model.json`.

    Returns:
        Weight name to array; quantised weights are float32 `scale * value + min`, computed
        in double precision and rounded once, as JavaScript does.

    Raises:
        BadInputError: A shard is missing, damaged, or of another length than its manifest
            says.
    """
    weights: dict[str, Array] = {}
    packed = model.get("packing", {})
    if packed and (packed.get("schema"), packed.get("encoding")) != (
        packing.SCHEMA,
        packing.ENCODING,
    ):
        raise BadInputError(
            f"the weights in {folder} are packed by another version; build the site again"
        )
    scales = np.array(packed.get("scales", ()), np.float32)
    for group in model["weightsManifest"]:
        try:
            data = b"".join((folder / shard).read_bytes() for shard in group["paths"])
        except OSError as error:
            raise BadInputError(f"the weight file {error.filename} cannot be read") from error
        if packed:
            length = sum(_stored_bytes(entry) for entry in group["weights"])
            data = packing.decompress(data, length, " + ".join(group["paths"]))
        offset = 0
        for entry in group["weights"]:
            end = offset + _stored_bytes(entry)
            if end > len(data):
                raise BadInputError(f"the weights in {folder} are cut off at {entry['name']}")
            if "packed" in entry:
                weights[entry["name"]] = packing.unpack(entry, data[offset:end], scales)
            else:
                values = np.frombuffer(data[offset:end], _stored_dtype(entry))
                weights[entry["name"]] = _dequantise(values.reshape(entry["shape"]), entry)
            offset = end
        if offset != len(data):
            raise BadInputError(f"the weights in {folder} are longer than their manifest says")
    return weights


def _stored_bytes(entry: dict[str, Any]) -> int:
    size = prod(int(side) for side in entry["shape"])
    if "packed" in entry:
        return int(entry["packed"]["channels"]) + size
    return _stored_dtype(entry).itemsize * size


def _stored_dtype(entry: dict[str, Any]) -> np.dtype[Any]:
    stored = entry.get("quantization", entry)["dtype"]
    return np.dtype(np.bool_ if stored == "bool" else stored).newbyteorder("<")


def _dequantise(values: Array, entry: dict[str, Any]) -> Array:
    quantization = entry.get("quantization")
    if quantization is None:
        return values
    if "scale" in quantization:
        scaled: Array = values.astype(np.float64) * quantization["scale"] + quantization["min"]
        return scaled.astype(np.float32)
    return values.astype(np.float32)


def load(folder: Path, model_json: str) -> Callable[[Array], Array]:
    """Return the model as a function.

    Args:
        folder: The model's folder.
        model_json: Name of its `model.json`.

    Returns:
        From images, float32 `[n, height, width, 3]`, to the graph's output, float32
        `[n, classes]`.

    Raises:
        BadInputError: The artifacts are damaged.
    """
    tf = tensorflow.load()
    model = json.loads((folder / model_json).read_text("utf-8"))
    graph_def = with_values(unfused(model), decode_weights(folder, model))
    (source,) = (entry["name"] for entry in model["signature"]["inputs"].values())
    (target,) = (entry["name"] for entry in model["signature"]["outputs"].values())

    def imported() -> None:
        tf.import_graph_def(graph_def, name="")

    wrapped = tf.compat.v1.wrap_function(imported, [])
    pruned = wrapped.prune(_tensor(source), _tensor(target))

    def run(images: Array) -> Array:
        result: Array = pruned(tf.constant(images)).numpy()
        return result

    return run


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def unfused(model: dict[str, Any]) -> Any:
    """Return the graph of a parsed `model.json` as a `GraphDef` of TensorFlow's own operations.

    Constants whose values lie in the shards stay empty `Const` nodes.
    """
    from google.protobuf import json_format
    from tensorflow.core.framework import graph_pb2

    stored = graph_pb2.GraphDef()
    json_format.ParseDict(model["modelTopology"], stored, ignore_unknown_fields=True)
    runnable = graph_pb2.GraphDef()
    runnable.versions.CopyFrom(stored.versions)
    runnable.library.CopyFrom(stored.library)
    for node in stored.node:
        if node.op in _FUSED:
            _add_unfused(runnable, node)
        else:
            runnable.node.add().CopyFrom(node)
    for node in runnable.node:
        node.device = ""
    return runnable


def with_values(graph_def: Any, weights: Mapping[str, Array]) -> Any:
    """Put the weights into the `Const` nodes of their names, in place; return the graph."""
    tf = tensorflow.load()
    for node in graph_def.node:
        if node.op == "Const" and node.name in weights:
            tensor = tf.make_tensor_proto(weights[node.name], shape=weights[node.name].shape)
            node.attr["value"].tensor.CopyFrom(tensor)
            node.attr["dtype"].type = tensor.dtype
    return graph_def


def _add_unfused(graph_def: Any, node: Any) -> None:
    """Add a fused node as the chain that it stands for; the last link bears its name."""
    steps = [name.decode() for name in node.attr["fused_ops"].list.s]
    names = [f"{node.name}/unfused_{index}" for index in range(len(steps))] + [node.name]
    bare = graph_def.node.add(name=names[0], op=_FUSED[node.op])
    bare.input.extend(node.input[:2])
    for key, value in node.attr.items():
        if key not in _FUSION_ATTRIBUTES:
            bare.attr[key].CopyFrom(value)
    extra = iter(node.input[2:])
    for step, before, name in zip(steps, names[:-1], names[1:], strict=True):
        # The converter's word for a depthwise convolution without a bias.
        link = graph_def.node.add(name=name, op="Identity" if step == "NoOp" else step)
        link.input.append(before)
        if step == "BiasAdd":
            link.input.append(next(extra))
        link.attr["T"].CopyFrom(node.attr["T"])
