"""Writes a trained network as a SavedModel: equal networks have equal bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.sources import trained

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from toolchain.records.card import Declared, Task

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Layer:
    """The new last layer."""

    kernel: Array
    """float32 `[width, tags]`, divided by the temperature."""
    bias: Array
    """float32 `[tags]`, divided by the temperature."""


@dataclass(frozen=True)
class FeatureGraph:
    """A network of features, without variables."""

    graph_def: Any
    """TensorFlow's `GraphDef`."""
    input: str
    """Name of the placeholder, float32 `[n, height, width, 3]`."""
    output: str
    """Name of the node with the features, float32 `[n, width]`."""


def write(features: FeatureGraph, layer: Layer, task: Task, folder: Path) -> None:
    """Write a SavedModel with the signature `serving_default`: `image` → `scores`.

    Args:
        features: The network up to the last layer.
        layer: The last layer.
        task: Softmax follows if tags exclude each other, else sigmoid.
        folder: The folder to write; it must not exist.
    """
    tf = tensorflow.load()
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(features.graph_def, name="")
        image = graph.get_tensor_by_name(f"{features.input}:0")
        row = graph.get_tensor_by_name(f"{features.output}:0")
        kernel = tf.constant(layer.kernel, tf.float32, name="tags/kernel")
        bias = tf.constant(layer.bias, tf.float32, name="tags/bias")
        outputs = tf.nn.bias_add(tf.matmul(row, kernel, name="tags/matmul"), bias, name="tags/sum")
        if task == "single-label":
            scores = tf.nn.softmax(outputs, name="tags/scores")
        else:
            scores = tf.sigmoid(outputs, name="tags/scores")
        # `tf.saved_model.save` would add a random identity and names that count up.
        v1 = tf.compat.v1
        builder = v1.saved_model.Builder(str(folder))
        signature = v1.saved_model.signature_def_utils.build_signature_def(
            {"image": v1.saved_model.build_tensor_info(image)},
            {"scores": v1.saved_model.build_tensor_info(scores)},
            v1.saved_model.signature_constants.PREDICT_METHOD_NAME,
        )
        with v1.Session(graph=graph) as session:
            builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()


def write_declarations(declared: Declared, photos: Mapping[str, str], folder: Path) -> None:
    """Write `model.toml` into a folder.

    Args:
        declared: What is declared of the model.
        photos: Where its `photos` and those of its `test` are, absolute or relative to the folder.
        folder: The folder.
    """
    import tomli_w

    content: dict[str, Any] = declared.model_dump(mode="json", exclude_none=True)
    text = tomli_w.dumps({**content, trained.TABLE: dict(photos)})
    (folder / trained.DECLARATIONS).write_text(text, "utf-8")
