"""Finds the features of a TF.js model: the input of its last dense layer (`graph/features.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.errors import ToolchainError
from toolchain.graph import features

if TYPE_CHECKING:
    from collections.abc import Mapping


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
