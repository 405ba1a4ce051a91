"""Runs TF.js artifacts in TensorFlow, with the stored weights decoded as the page decodes them.

The page does not compute the SavedModel but the graph in `model.json` with the weights in the
shards. Here these run in Python. TF.js' converter fuses convolutions with their bias and
activation into operations for which TensorFlow does not have kernels for every shape. They are
split again, which changes no result. Fused operations that TF.js' WebAssembly backend cannot run
are refused (`fused.py`).
"""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph.features import rows
from toolchain.tfjs import features, fused, packing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from toolchain.records.none_of_these import NoneOfThese

    Array = np.ndarray[Any, Any]


# TensorFlow's dtypes that TF.js replaces: int64, uint8 and int8 by int32, float64 and float16 by
# float32 (`parseDtypeParam` in `tfjs-converter/src/operations/operation_mapper.ts`).
_AS_IN_TFJS = {9: 3, 4: 3, 6: 3, 2: 1, 19: 1}


def decode_weights(folder: Path, model: dict[str, Any]) -> dict[str, Array]:
    """Read the shards and decode each weight as TF.js does (`io_utils.ts`, `decodeWeights`).

    Args:
        folder: The folder of the shards.
        model: The parsed `model.json`.

    Returns:
        Arrays by weight name; quantised weights are float32 `scale * value + min`, computed in
        double precision and rounded once, as in JavaScript.

    Raises:
        BadInputError: A shard is missing, damaged, or has another length than in the manifest.
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
        A function from images, float32 `[n, height, width, 3]`, to the graph's output, float32
        `[n, classes]`.

    Raises:
        BadInputError: The artifacts are damaged, or the page's first backend cannot run them.
    """
    model = json.loads((folder / model_json).read_text("utf-8"))
    run = _function(folder, model)
    return lambda images: run(images)[0]


def load_with_features(
    folder: Path, model_json: str, name: str
) -> Callable[[Array], tuple[Array, Array]]:
    """Return the model as a function that returns the features of the images too.

    Args:
        folder: The model's folder.
        model_json: Name of its `model.json`.
        name: How messages name the model.

    Returns:
        A function from images, float32 `[n, height, width, 3]`, to the graph's output, float32
        `[n, classes]`, and the input of its last dense layer, float32 `[n, width]`.

    Raises:
        BadInputError: As for :func:`load`.
        ToolchainError: The graph has no single last dense layer.
    """
    model = json.loads((folder / model_json).read_text("utf-8"))
    run = _function(folder, model, features.node_in(model, name))

    def both(images: Array) -> tuple[Array, Array]:
        outputs, seen = run(images)
        return outputs, rows(seen)

    return both


def _function(
    folder: Path, model: dict[str, Any], *more: str
) -> Callable[[Array], tuple[Array, ...]]:
    """Return a model as a function to its output and to the outputs of `more` nodes."""
    tf = tensorflow.load()
    graph_def = with_values(unfused(model), decode_weights(folder, model))
    (source,) = (entry["name"] for entry in model["signature"]["inputs"].values())
    (target,) = (entry["name"] for entry in model["signature"]["outputs"].values())

    def imported() -> None:
        tf.import_graph_def(graph_def, name="")

    wrapped = tf.compat.v1.wrap_function(imported, [])
    _refuse_groups(wrapped.graph)
    pruned = wrapped.prune(_tensor(source), [_tensor(each) for each in (target, *more)])
    return lambda images: tuple(each.numpy() for each in pruned(tf.constant(images)))


def _refuse_groups(graph: Any) -> None:
    """Check that every convolution's kernel reads all channels of its input.

    Raises:
        BadInputError: A kernel reads only a group of them.
    """
    for operation in graph.get_operations():
        if operation.type == "Conv2D":
            given, kernel = (tensor.shape for tensor in operation.inputs)
            if given.rank is None or kernel.rank is None or None in (given[-1], kernel[2]):
                continue
            if given[-1] != kernel[2]:
                raise BadInputError(
                    f"Conv2D {operation.name} reads {given[-1]} channels in groups of "
                    f"{kernel[2]}, which TF.js cannot run; split the input, and use one layer for "
                    "each part"
                )


def in_turn(
    folder: Path, model_json: str, images: Array, rule: NoneOfThese | None = None
) -> tuple[Array, Array | None]:
    """Run a model on one image at a time, as the page does.

    Args:
        folder: The model's folder.
        model_json: Name of its `model.json`.
        images: float32 `[n, height, width, 3]`.
        rule: The model's rule "none of these", if it has one.

    Returns:
        The outputs, float32 `[n, classes]`, and the rule's cosines, float64 `[n, labels]`, or None
        without a rule.

    Raises:
        BadInputError: The artifacts are damaged.
    """
    if rule is None:
        run = load(folder, model_json)
        return np.concatenate([run(image[None]) for image in images]), None
    with_features = load_with_features(folder, model_json, str(folder))
    outputs, seen = zip(*(with_features(image[None]) for image in images), strict=True)
    return np.concatenate(outputs), rule.cosines(np.concatenate(seen))


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def unfused(model: dict[str, Any]) -> Any:
    """Return the graph of a parsed `model.json` as a `GraphDef` of TensorFlow's own operations.

    Constants whose values are in the shards stay empty `Const` nodes.

    Raises:
        BadInputError: A fused operation is one that the page's first backend cannot run.
    """
    stored = graph_of(model)
    shapes = constant_shapes(model)
    runnable = type(stored)(versions=stored.versions, library=stored.library)
    for node in stored.node:
        if node.op in fused.FUSED:
            if reason := fused.obstacle(node, shapes):
                raise BadInputError(
                    f"{node.op} {node.name} {reason}, which TF.js' WebAssembly backend cannot "
                    "run; build the site again"
                )
            chain = fused.apart(node, "BiasAdd")
        else:
            chain = [node]
        for link in chain:
            parts = fused.without_prelu(link) if link.op == "Prelu" else [link]
            runnable.node.extend(parts)
    for node in runnable.node:
        node.device = ""
        for value in node.attr.values():
            if value.type in _AS_IN_TFJS:
                value.type = _AS_IN_TFJS[value.type]
            types = value.list.type if value.HasField("list") else []
            for index, kind in enumerate(types):
                types[index] = _AS_IN_TFJS.get(kind, kind)
    return runnable


def graph_of(model: dict[str, Any]) -> Any:
    """Return the graph of a parsed `model.json` as a `GraphDef`, unchanged."""
    from google.protobuf import json_format
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    json_format.ParseDict(model["modelTopology"], graph, ignore_unknown_fields=True)
    return graph


def constant_shapes(model: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights of a parsed `model.json`, by name."""
    return {
        entry["name"]: tuple(int(side) for side in entry["shape"])
        for group in model["weightsManifest"]
        for entry in group["weights"]
    }


def with_values(graph_def: Any, weights: Mapping[str, Array]) -> Any:
    """Set the values of `Const` nodes to the weights of the same names; return the graph."""
    tf = tensorflow.load()
    for node in graph_def.node:
        if node.op == "Const" and node.name in weights:
            tensor = tf.make_tensor_proto(weights[node.name], shape=weights[node.name].shape)
            node.attr["value"].tensor.CopyFrom(tensor)
            node.attr["dtype"].type = tensor.dtype
    return graph_def
