"""Writes a quantised network as TF.js artifacts, in one of two forms of the same values.

*Packed* is for our page: each kernel is one byte a channel, which names its step in a
table, and one byte a weight; the page decodes them once into float32
(`web/src/worker/packed-weights.ts`). *Stock* is for any TF.js 4: each kernel is a uint8
constant that TF.js decodes to whole numbers, times a small constant of the channels'
steps, a product that the graph computes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from toolchain.errors import BadInputError
from toolchain.tfjs import packing
from toolchain.tfjs.fuse import fuse
from toolchain.tfjs.packing import MAX_SCALES, ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolchain.compress.network import Network
    from toolchain.compress.rounding import Rounded

    Array = np.ndarray[Any, Any]

Format = Literal["packed", "stock"]
FORMATS: tuple[Format, ...] = get_args(Format)


def write(
    network: Network,
    kernels: Mapping[str, Rounded],
    folder: Path,
    *,
    form: Format,
    shard_bytes: int,
) -> None:
    """Write `model.json` and shards into an existing empty folder.

    Args:
        network: The network with its final biases.
        kernels: The rounded kernels by name; all other weights are stored as float16, or
            as they are where they hold integers.
        folder: Where to write.
        form: For our page, or for any TF.js.
        shard_bytes: The largest size of one weight file.
    """
    from google.protobuf import json_format
    from tensorflow.core.framework import graph_pb2

    order = network.order()
    nodes = fuse((network.nodes[name] for name in order), network.output)
    graph = graph_pb2.GraphDef(node=nodes)
    graph.versions.producer = 1882
    entries: list[dict[str, Any]] = []
    chunks: list[bytes] = []
    scales = _table(kernels) if form == "packed" else {}
    for name in order:
        if name not in network.weights:
            continue
        value = network.weights[name]
        rounded = kernels.get(name)
        if rounded is None:
            entry, content = _plain(name, value)
        elif form == "packed":
            entry, (numbers, content) = _packed(name, value, rounded, scales)
            chunks.append(numbers)
        else:
            entry, content = _stock(name, value, rounded)
            scale_entry, scale_content = _stock_steps(graph, name, value, rounded)
            entries.append(scale_entry)
            chunks.append(scale_content)
        entries.append(entry)
        chunks.append(content)
    for node in graph.node:
        node.device = ""
        if node.op == "Const" and node.name in network.weights:
            node.attr["value"].Clear()
    data = packing.compress(chunks) if scales else b"".join(chunks)
    shards = [data[at : at + shard_bytes] for at in range(0, len(data), shard_bytes)]
    names = [f"group1-shard{n}of{len(shards)}.bin" for n in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        (folder / name).write_bytes(shard)
    model = {
        "format": "graph-model",
        "generatedBy": "toolchain",
        "convertedBy": "toolchain",
        "signature": network.signature,
        "modelTopology": json_format.MessageToDict(graph),
        "weightsManifest": [{"paths": names, "weights": entries}],
    }
    if scales:
        model["packing"] = {
            "schema": packing.SCHEMA,
            "encoding": packing.ENCODING,
            "scales": [float(step) for step in scales],
        }
    (folder / "model.json").write_text(json.dumps(model, sort_keys=True), "utf-8")


def _table(kernels: Mapping[str, Rounded]) -> dict[np.float32, int]:
    """Number all steps that occur."""
    steps = np.unique(np.concatenate([rounded.steps for rounded in kernels.values()]))
    if len(steps) > MAX_SCALES:
        raise BadInputError(
            f"the kernels need {len(steps)} different steps and the packed format has room for "
            f"{MAX_SCALES}; use --format stock"
        )
    return {step: index for index, step in enumerate(steps)}


def _plain(name: str, value: Array) -> tuple[dict[str, Any], bytes]:
    entry: dict[str, Any] = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
    if value.dtype != np.float32:
        return entry, value.tobytes()
    half = value.astype(np.float16)
    if not np.isfinite(half).all():
        return entry, value.astype("<f4").tobytes()
    entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
    return entry, half.astype("<f2").tobytes()


def _packed(
    name: str, value: Array, rounded: Rounded, table: Mapping[np.float32, int]
) -> tuple[dict[str, Any], tuple[bytes, bytes]]:
    channels = len(rounded.steps)
    entry = {
        "name": name,
        "shape": list(value.shape),
        "dtype": "float32",
        "packed": {"channels": channels},
    }
    numbers = bytes(table[step] for step in rounded.steps)
    return entry, packing.pack(numbers, rounded.values.T)


def _stock(name: str, value: Array, rounded: Rounded) -> tuple[dict[str, Any], bytes]:
    entry = {
        "name": f"{name}/whole",
        "shape": list(value.shape),
        "dtype": "float32",
        "quantization": {
            "dtype": "uint8",
            "min": -float(ZERO),
            "scale": 1.0,
            "original_dtype": "float32",
        },
    }
    return entry, _as_bytes(rounded.values)


def _stock_steps(
    graph: Any, name: str, value: Array, rounded: Rounded
) -> tuple[dict[str, Any], bytes]:
    """Turn the kernel's constant into a product of two, and return the steps' entry."""
    (node,) = (node for node in graph.node if node.name == name)
    kind = node.attr["dtype"].type
    whole = graph.node.add(name=f"{name}/whole", op="Const")
    whole.attr["dtype"].type = kind
    steps = graph.node.add(name=f"{name}/steps", op="Const")
    steps.attr["dtype"].type = kind
    node.Clear()
    node.name, node.op = name, "Mul"
    node.input.extend((whole.name, steps.name))
    node.attr["T"].type = kind
    # A depthwise kernel ends with [channels, multiplier], so the steps do too.
    tail = (
        value.shape[-2:]
        if value.shape[-1] * value.shape[-2] == len(rounded.steps)
        else (len(rounded.steps),)
    )
    shape = [*([1] * (value.ndim - len(tail))), *tail]
    entry, content = _plain(steps.name, rounded.steps.reshape(shape))
    if not np.array_equal(rounded.steps.astype(np.float16).astype(np.float32), rounded.steps):
        # The steps are made to be float16; one that is too small for it is not.
        entry.pop("quantization", None)
        content = rounded.steps.astype("<f4").tobytes()
    return entry, content


def _as_bytes(values: Array) -> bytes:
    return (values + ZERO).astype(np.uint8).tobytes()
