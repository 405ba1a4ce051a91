"""Stores weights as float16, except those that do not fit into float16.

The converter's own float16 turns numbers above 65,504 into infinity, and numbers below 0.00000006
into 0. The latter happens to the epsilon of a normalisation, which then divides by 0.
"""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.tfjs.shards import write_shards
from toolchain.tfjs_graph import fused
from toolchain.tfjs_graph.topology import graph_of

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, Any]

_FEW = 4096
"""Larger constants are weights, whose smallest numbers do not matter. Chosen, not measured."""
_NEAR = 1e-3
"""The allowed relative change of a constant; within its range, float16 stays below half of it."""


def encode(name: str, value: Array, *, exact: bool = False) -> tuple[dict[str, Any], bytes]:
    """Return a weight's entry in the manifest and its bytes, as float16 if it fits.

    Args:
        name: Name of the weight.
        value: The weight.
        exact: Whether its smallest numbers matter.
    """
    entry: dict[str, Any] = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
    if value.dtype != np.float32:
        return entry, value.tobytes()
    with np.errstate(over="ignore"):
        half = value.astype(np.float16)
    lost = exact and value.size <= _FEW and not np.allclose(half, value, rtol=_NEAR, atol=0)
    # A single number scales all of a layer, and the 1/6 of a hard-swish comes back in each layer:
    # over the 28 of MobileNetV3, its rounding alone added up to 0.02 of the output.
    lost = lost or (value.size == 1 and bool((half != value).any()))
    if lost or not np.isfinite(half).all():
        return entry, value.astype("<f4").tobytes()
    entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
    return entry, half.astype("<f2").tobytes()


def store(folder: Path, *, shard_bytes: int) -> None:
    """Rewrite the float32 weights of a converted model as float16, before it is sealed.

    Args:
        folder: The folder of `model.json` and its shards.
        shard_bytes: The largest size of one weight file.
    """
    path = folder / "model.json"
    model = json.loads(path.read_text("utf-8"))
    layers = fused.FUSED.keys() | set(fused.FUSED.values()) | {"BiasAdd"}
    # Kernels, and biases, which are added to large sums.
    weights = {name for node in graph_of(model).node if node.op in layers for name in node.input}
    for number, group in enumerate(model["weightsManifest"], 1):
        data = b"".join((folder / shard).read_bytes() for shard in group["paths"])
        entries: list[dict[str, Any]] = []
        chunks: list[bytes] = []
        offset = 0
        for entry in group["weights"]:
            kind = np.dtype(entry["dtype"]).newbyteorder("<")
            end = offset + prod(int(side) for side in entry["shape"]) * kind.itemsize
            content = data[offset:end]
            if entry["dtype"] == "float32":
                value = np.frombuffer(content, kind).reshape(entry["shape"]).astype(np.float32)
                entry, content = encode(  # noqa: PLW2901 - the same weight
                    entry["name"], value, exact=entry["name"] not in weights
                )
            entries.append(entry)
            chunks.append(content)
            offset = end
        for shard in group["paths"]:
            (folder / shard).unlink()
        group["weights"] = entries
        group["paths"] = write_shards(folder, number, b"".join(chunks), shard_bytes)
    path.write_text(json.dumps(model), "utf-8")
