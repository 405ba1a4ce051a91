"""Writes a quantised network as TF.js artifacts, in one of two forms with the same values.

*Packed* is for this project's page: each kernel is one byte per channel, the index of its step in
a table, and one byte per weight. The page decodes them once into float32
(`web/src/worker/packed-weights.ts`).

*Stock* is for any TF.js 4: each kernel is a uint8 constant, which TF.js decodes to whole numbers
times a power of two, and a small constant of the channels' steps divided by that power. The graph
multiplies both, on the kernel or on the layer's output.

TF.js folds no constants, so a product on the kernel is computed at each inference, and XNNPACK
prepares the kernel again each time. An initializer graph would compute it once, but its result is
lost if the first inference runs within `tf.tidy`.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.tfjs import halves
from toolchain.tfjs.fuse import fuse
from toolchain.tfjs_graph import packing
from toolchain.tfjs_graph import topology as tfjs_topology
from toolchain.tfjs_graph.packing import EARLY_BYTES, MAX_SCALES, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from toolchain.quantize.layer_graph import LayerGraph
    from toolchain.quantize.rounding import Rounded

    Array = np.ndarray[Any, Any]

Format = Literal["packed", "stock"]
FORMATS: tuple[Format, ...] = get_args(Format)

_CHEAPER_AFTER = 4
"""Up to this ratio of output values to weights, scaling a layer's output is cheaper.

Measured on the WebAssembly backend: scaling a kernel took 9 ns per weight; scaling an output, and
adding bias and activation unfused, 2 ns per value. `make bench-stock` shows the result.
"""


def write(
    network: LayerGraph,
    kernels: Mapping[str, Rounded],
    folder: Path,
    *,
    form: Format,
    shard_bytes: int,
) -> None:
    """Write `model.json` and shards into an existing empty folder.

    Args:
        network: The network with its final biases.
        kernels: The rounded kernels by name. Other weights are stored as float16, or unchanged if
            they are integers or do not fit into float16.
        folder: Where to write.
        form: For this project's page, or for any TF.js.
        shard_bytes: Largest size of a weight file. The first file of packed weights is smaller,
            because the page fetches it before the others.
    """
    from google.protobuf import json_format
    from tensorflow.core.framework import graph_pb2

    order = network.order()
    nodes = [network.nodes[name] for name in order]
    biases = {layer.bias for layer in network.layers}
    if form == "stock":
        nodes = _with_products(network, kernels, nodes)
    shapes = {name: value.shape for name, value in network.weights.items()}
    graph = graph_pb2.GraphDef(node=fuse(nodes, network.output, shapes))
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
            entry, content = halves.encode(name, value, exact=name not in biases)
        elif form == "packed":
            entry, (numbers, content) = _packed(name, value, rounded, scales)
            chunks.append(numbers)
        else:
            entry, content = _stock_steps(name, value, rounded)
            entries.append(entry)
            chunks.append(content)
            entry, content = _stock(name, value, rounded)
        entries.append(entry)
        chunks.append(content)
    for node in graph.node:
        node.device = ""
        if node.op == "Const" and node.name in network.weights:
            node.attr["value"].Clear()
    data = packing.compress(chunks) if scales else b"".join(chunks)
    head = min(shard_bytes, EARLY_BYTES) if scales else shard_bytes
    cuts = [0, *range(head, len(data), shard_bytes), len(data)]
    shards = [data[start:end] for start, end in pairwise(cuts)]
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
        table = packing.Packing(scales=tuple(float(step) for step in scales))
        model["packing"] = table.model_dump(by_alias=True)
    (folder / "model.json").write_text(json.dumps(model, sort_keys=True), "utf-8")


def _table(kernels: Mapping[str, Rounded]) -> dict[np.float32, int]:
    """Return the index of each distinct step."""
    steps = np.unique(np.concatenate([rounded.steps for rounded in kernels.values()]))
    if len(steps) > MAX_SCALES:
        raise BadInputError(
            f"the kernels need {len(steps)} different steps and the packed format holds only "
            f"{MAX_SCALES}; use --format stock"
        )
    return {step: index for index, step in enumerate(steps)}


def _packed(
    name: str, value: Array, rounded: Rounded, table: Mapping[np.float32, int]
) -> tuple[dict[str, Any], tuple[bytes, bytes]]:
    channels = len(rounded.steps)
    entry = {
        "name": name,
        "shape": list(value.shape),
        "dtype": "float32",
        "packed": packing.Packed(channels=channels).model_dump(),
    }
    numbers = bytes(table[step] for step in rounded.steps)
    return entry, packing.pack(numbers, rounded.values.T)


def _stock(name: str, value: Array, rounded: Rounded) -> tuple[dict[str, Any], bytes]:
    power = _power(rounded)
    entry = {
        "name": f"{name}/whole",
        "shape": list(value.shape),
        "dtype": "float32",
        "quantization": {
            "dtype": "uint8",
            "min": -ZERO * power,
            "scale": power,
            "original_dtype": "float32",
        },
    }
    return entry, _as_bytes(rounded.values)


def _stock_steps(name: str, value: Array, rounded: Rounded) -> tuple[dict[str, Any], bytes]:
    steps = rounded.steps / np.float32(_power(rounded))
    # A depthwise kernel ends with [channels, multiplier], so the steps do too.
    tail = value.shape[-2:] if value.shape[-1] * value.shape[-2] == len(steps) else (len(steps),)
    shape = [*([1] * (value.ndim - len(tail))), *tail]
    entry, content = halves.encode(f"{name}/steps", steps.reshape(shape))
    with np.errstate(over="ignore"):
        rounded_steps = steps.astype(np.float16)
    if not np.array_equal(rounded_steps.astype(np.float32), steps):
        # Steps are float16 numbers, except those too small for float16.
        entry.pop("quantization", None)
        content = steps.astype("<f4").tobytes()
    return entry, content


def _power(rounded: Rounded) -> float:
    """Return the power of two that is nearest to the median step.

    With it in the kernel, outputs that are not scaled yet have about their final size and fit
    into the float16 textures of phones. With whole numbers alone, MobileNetV2's reached 43,000;
    float16 ends at 65,504.
    """
    return float(2.0 ** np.rint(np.log2(np.median(rounded.steps))))


def _with_products(
    network: LayerGraph, kernels: Mapping[str, Rounded], nodes: Iterable[Any]
) -> list[Any]:
    """Return the nodes with every kernel as two constants, and the products with the steps.

    A product takes the name of the node that it scales, so its readers need no change.
    """
    from tensorflow.core.framework import node_def_pb2

    after = _scaled_after(network, kernels)
    products: list[Any] = []

    def multiply(name: str, unscaled: str, kernel: str) -> None:
        product = node_def_pb2.NodeDef(name=name, op="Mul", input=[unscaled, f"{kernel}/steps"])
        product.attr["T"].CopyFrom(network.nodes[kernel].attr["dtype"])
        products.append(product)

    for node in nodes:
        if node.name in kernels:
            for suffix in ("whole", "steps"):
                constant = node_def_pb2.NodeDef(name=f"{node.name}/{suffix}", op="Const")
                constant.attr["dtype"].CopyFrom(node.attr["dtype"])
                products.append(constant)
            if node.name not in after.values():
                multiply(node.name, f"{node.name}/whole", node.name)
        elif kernel := after.get(node.name):
            layer = node_def_pb2.NodeDef()
            layer.CopyFrom(node)
            layer.name = f"{node.name}/unscaled"
            layer.input[1] = f"{kernel}/whole"
            products.append(layer)
            multiply(node.name, layer.name, kernel)
        else:
            products.append(node)
    return products


def _scaled_after(network: LayerGraph, kernels: Mapping[str, Rounded]) -> dict[str, str]:
    """Return the layers whose output is cheaper to scale than their kernel, and their kernels.

    Depthwise layers are never among them: scaling their few weights costs less than computing
    bias and activation separately.
    """
    readers = network.consumers()
    outputs = _output_sizes(network)
    return {
        layer.name: layer.kernel
        for layer in network.layers
        if layer.kernel in kernels
        and layer.kind != "depthwise"
        and readers[layer.kernel] == [layer.name]
        and outputs[layer.name] <= _CHEAPER_AFTER * network.weights[layer.kernel].size
    }


def _output_sizes(network: LayerGraph) -> dict[str, float]:
    """Return each layer's number of output values per image; infinite if it is unknown."""
    from tensorflow.core.framework import graph_pb2

    tf = tensorflow.load()
    definition = graph_pb2.GraphDef(node=[network.nodes[name] for name in network.order()])
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(tfjs_topology.with_values(definition, network.weights), name="")
    return {
        layer.name: graph.get_tensor_by_name(f"{layer.name}:0").shape[1:].num_elements() or np.inf
        for layer in network.layers
    }


def _as_bytes(values: Array) -> bytes:
    return (values + ZERO).astype(np.uint8).tobytes()
