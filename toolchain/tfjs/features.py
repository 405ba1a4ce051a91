"""Finds the features of a TF.js model: the input of its last dense layer (`graph/features.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.errors import ToolchainError
from toolchain.graph import features
from toolchain.graph.running import node_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Between the last dense layer and the output these give at least as many numbers as they get.
_NEVER_FEWER = frozenset(
    {"Add", "AddV2", "BiasAdd", "Sub", "Mul", "RealDiv", "Neg", "Identity", "Reshape", "Squeeze"}
    | {"ExpandDims", "Sigmoid", "Softmax", "Relu", "Relu6", "Tanh"}
)


@dataclass(frozen=True)
class Row:
    """Where a graph has one row of features for each photo."""

    node: str
    """Name of the node whose output they are, `[n, width]` or `[n, 1, 1, width]`."""
    width: int


def node_in(model: Mapping[str, Any], name: str) -> str:
    """Return the name of the node whose output are the features.

    It reads JSON alone, so that a contract is written without TensorFlow.

    Args:
        model: A parsed `model.json`, converted or quantised.
        name: How messages name the model.

    Raises:
        ToolchainError: There is no single last dense layer.
    """
    nodes = {
        node["name"]: (node["op"], node.get("input", ())) for node in model["modelTopology"]["node"]
    }
    (output,) = (entry["name"] for entry in model["signature"]["outputs"].values())
    found = features.name_of(nodes, output)
    if found is None:
        raise ToolchainError(
            f"{name} cannot be built with its rule none_of_these: its converted graph has no "
            "single last dense layer; leave none_of_these out, and please report it"
        )
    return found


def row_in(model: Mapping[str, Any], outputs: int) -> Row | None:
    """Return where the graph has one row of features for each photo, and how many they are.

    It reads JSON alone, like :func:`node_in`.

    Args:
        model: A parsed `model.json`, converted or quantised.
        outputs: How many numbers the graph gives for a photo.

    Returns:
        The row; None if there is no single last dense layer, or if it reads a map instead of a
        row, as a convolution before the pooling does.
    """
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    (output,) = (entry["name"] for entry in model["signature"]["outputs"].values())
    found = features.name_of(
        {name: (node["op"], node.get("input", ())) for name, node in nodes.items()}, output
    )
    shapes = {
        weight["name"]: weight["shape"]
        for group in model["weightsManifest"]
        for weight in group["weights"]
    }
    layer = None if found is None else _reader(nodes, output, found)
    if found is None or layer is None:
        return None
    shape = shapes.get(node_of(layer["input"][1]))
    if shape is None or any(side != 1 for side in shape[:-2]):
        return None
    width, tags = shape[-2:]
    attributes = layer.get("attr", {})
    if any(attributes.get(name, {}).get("b") for name in ("transpose_b", "adj_y")):
        width, tags = tags, width
    # A layer that reads a map gives as many numbers for each of its places.
    return Row(found, width) if tags == outputs else None


def _reader(
    nodes: Mapping[str, Mapping[str, Any]], output: str, found: str
) -> Mapping[str, Any] | None:
    """Return the dense layer that reads the features.

    None if something between it and the output may lessen how many numbers there are.
    """
    waiting: list[str] = [node_of(output)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        node = nodes[name]
        sources: Sequence[str] = node.get("input", ())
        if name in seen or node["op"] == "Const":
            continue
        seen.add(name)
        if sources and node_of(sources[0]) == node_of(found):
            return node
        if node["op"] not in _NEVER_FEWER:
            return None
        waiting += [node_of(source) for source in sources]
    return None
