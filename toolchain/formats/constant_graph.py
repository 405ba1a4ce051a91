"""Writes a graph without variables as a SavedModel, for formats that are read as such a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GRAPH = "saved_model.pb"
"""The only file of such a SavedModel."""


def write(
    graph_def: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], folder: Path
) -> None:
    """Write a SavedModel with the signature `serving_default`.

    Args:
        graph_def: The `GraphDef`.
        inputs: The signature's inputs, a `TensorInfo` by each name.
        outputs: Its outputs, in the same way.
        folder: The folder to write; it must not exist.
    """
    tf = tensorflow.load()
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = SavedModel(saved_model_schema_version=1)
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append(tf.saved_model.SERVING)
    meta.graph_def.CopyFrom(graph_def)
    signature = meta.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for infos, given in ((signature.inputs, inputs), (signature.outputs, outputs)):
        for name, info in given.items():
            infos[name].CopyFrom(info)
    folder.mkdir(parents=True)
    (folder / GRAPH).write_bytes(model.SerializeToString(deterministic=True))
