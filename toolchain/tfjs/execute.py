"""Runs TF.js artifacts in TensorFlow, with the stored weights decoded as the page decodes them.

The page does not compute the SavedModel but the graph in `model.json` with the weights in the
shards. Here these run in Python. TF.js' converter fuses convolutions with their bias and
activation into operations for which TensorFlow does not have kernels for every shape. They are
split again, which changes no result. Fused operations that TF.js' WebAssembly backend cannot run
are refused (`tfjs_graph/fused.py`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.graph import running
from toolchain.graph.features import rows
from toolchain.tfjs import features
from toolchain.tfjs_graph.topology import unfused, with_values
from toolchain.tfjs_graph.weights import decode_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.records.none_of_these import NoneOfThese

    Array = np.ndarray[Any, Any]


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
    graph_def = with_values(unfused(model), decode_weights(folder, model))
    (source,) = (entry["name"] for entry in model["signature"]["inputs"].values())
    (target,) = (entry["name"] for entry in model["signature"]["outputs"].values())
    graph = running.imported(graph_def)
    _refuse_groups(graph)
    return running.function_in(graph, source, (target, *more))


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
